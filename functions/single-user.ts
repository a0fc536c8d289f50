/**
 * Single-user rotation: the user's own password is replaced. Built to dist/single-user/index.mjs.
 *
 * Attach it to a secret as its rotation function; Secrets Manager then calls `handler` four times a rotation.
 */
import { redshift } from '../shared/database/redshift.ts';
import { rotationHandler } from '../shared/lambda/handler.ts';
import { singleUser } from '../shared/rotation/single-user.ts';

export const handler = rotationHandler(singleUser, { redshift });
