output "single_user_function_arn" {
  description = "Rotation function for single user."
  value       = aws_lambda_function.this["single-user"].arn
}

output "alternating_users_function_arn" {
  description = "Rotation function for alternating users."
  value       = aws_lambda_function.this["alternating-users"].arn
}

output "single_user_role_arn" {
  description = "Execution role of the single-user function, for resource and key policies."
  value       = aws_lambda_function.this["single-user"].role
}

output "alternating_users_role_arn" {
  description = "Execution role of the alternating-users function, for resource and key policies."
  value       = aws_lambda_function.this["alternating-users"].role
}

output "single_user_log_group" {
  description = "Log group of the single-user function."
  value       = aws_cloudwatch_log_group.this["single-user"].name
}

output "alternating_users_log_group" {
  description = "Log group of the alternating-users function."
  value       = aws_cloudwatch_log_group.this["alternating-users"].name
}

output "attach_single_user" {
  description = "Command that attaches a secret for single user, to be rotated in its first window: for secrets that are not in secrets."
  value       = local.attach_commands["single-user"]
}

output "attach_alternating_users" {
  description = "Command that attaches a secret for alternating users, to be rotated in its first window."
  value       = local.attach_commands["alternating-users"]
}

output "role_policies" {
  description = "What each function's role must allow, as JSON by strategy: for roles that are made elsewhere."
  value = {
    for strategy in keys(local.strategies) : strategy => jsonencode({
      Version   = "2012-10-17"
      Statement = concat(local.write_own_log[strategy], local.run_in_vpc, local.rotate_attached_secrets[strategy])
    })
  }
}

output "dashboard_url" {
  description = "Rotations, durations and failures as plots; null without a dashboard."
  value = try(join("", [
    "https://${local.region}.${local.console_host}/cloudwatch/home",
    "?region=${local.region}#dashboards/dashboard/${aws_cloudwatch_dashboard.this[0].dashboard_name}",
  ]), null)
}

output "alarm_topic_arn" {
  description = "SNS topic made for alarm_email, which has to confirm its subscription first; null without one."
  value       = try(aws_sns_topic.alarms[0].arn, null)
}

output "read_secrets_policy_arns" {
  description = "Managed policies for applications that read the secrets, one for each 10 of them."
  value       = aws_iam_policy.read_secrets[*].arn
}
