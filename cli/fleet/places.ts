/** Several regions and profiles, asked in one call. */
import { Aws, type AwsOptions } from '../clients.ts';
import type { Context } from '../context.ts';
import { usage } from '../failures.ts';

export interface PlaceOptions {
  readonly regions?: readonly string[];
  readonly profiles?: readonly string[];
}

/** Where secrets are looked for, with what to ask there. */
export interface Place {
  readonly context: Context;
  /** Such as `eu-west-1` or `audit eu-west-1`; undefined where there is only one place. */
  readonly label: string | undefined;
}

/** Names apart from each other by commas: `eu-west-1,us-east-1`. @throws CommandError where one is empty. */
export function names(text: string): readonly string[] {
  const found = text.split(',').map((name) => name.trim());
  if (found.includes('')) throw usage(`Names separated by commas were needed, found "${text}".`);
  return [...new Set(found)];
}

/** Every profile with every region; pure. What is not given is what --profile and --region say. */
export function combinations({ regions, profiles }: PlaceOptions): readonly AwsOptions[] {
  return (profiles ?? [undefined]).flatMap((profile) =>
    (regions ?? [undefined]).map((region) => ({
      ...(profile !== undefined && { profile }),
      ...(region !== undefined && { region }),
    })),
  );
}

export function placesOf(context: Context, options: PlaceOptions): readonly Place[] {
  const all = combinations(options);
  const { region, profile, endpoint } = context.aws.settings;
  const common = {
    ...(region !== undefined && { region }),
    ...(profile !== undefined && { profile }),
    ...(endpoint !== undefined && { endpointUrl: endpoint }),
  };
  const { prompts, output } = context;
  const askMfaCode = async (device: string) => {
    output.busy(undefined);
    return await prompts.mfaCode(device);
  };
  return all.map((place) => {
    // The one that is there already may have asked for an MFA code.
    const aws =
      Object.keys(place).length === 0
        ? context.aws
        : new Aws({ ...common, ...place }, prompts.interactive ? askMfaCode : undefined);
    const label = all.length === 1 ? undefined : [place.profile, place.region].filter(Boolean).join(' ');
    return { context: { ...context, aws }, label };
  });
}
