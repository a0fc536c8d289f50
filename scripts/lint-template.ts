/**
 * Checks the templates with cfn-lint (Python), which is no npm package: where it is not installed it says so and
 * passes, unless REQUIRE_CFN_LINT=1 insists.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const templates = ['template.yaml', 'templates/restart-consumers.yaml'].map((path) =>
  fileURLToPath(new URL(`../${path}`, import.meta.url)),
);
const installed = spawnSync('cfn-lint', ['--version'], { stdio: 'ignore' }).status === 0;

if (installed) {
  const { status } = spawnSync('cfn-lint', ['--', ...templates], { stdio: 'inherit' });
  if (status === 0) console.log('The templates: cfn-lint has nothing to say.');
  process.exitCode = status ?? 1;
} else {
  const insist = process.env.REQUIRE_CFN_LINT === '1';
  console.log(
    `The templates were not checked: cfn-lint is not installed (pip install cfn-lint${insist ? '; REQUIRE_CFN_LINT=1 insists' : ''}).`,
  );
  process.exitCode = insist ? 1 : 0;
}
