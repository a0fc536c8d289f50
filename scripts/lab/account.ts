/** The one AWS account that the lab plays. */
export const ACCOUNT_ID = '123456789012';
export const DEFAULT_REGION = 'us-east-1';
