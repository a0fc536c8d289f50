# The module by itself, on a provider that makes everything up. What is applied for real is tested by
# test/integration/terraform of the repository.
mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws", dns_suffix = "amazonaws.com" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }
  mock_data "aws_region" {
    defaults = { id = "eu-west-1" }
  }
  mock_resource "aws_lambda_function" {
    defaults = { arn = "arn:aws:lambda:eu-west-1:111122223333:function:any" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111122223333:role/any" }
  }
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:eu-west-1:111122223333:any" }
  }
}

variables {
  s3_packages = {
    bucket = "releases"
    keys   = { "single-user" = "0.2.0/single-user.zip", "alternating-users" = "0.2.0/alternating-users.zip" }
  }
}

run "makes_both_functions_and_tells_nobody_by_default" {
  assert {
    condition     = sort(values(aws_lambda_function.this)[*].function_name) == tolist(["postgres-rotation-alternating-users", "postgres-rotation-single-user"])
    error_message = "Two functions were expected."
  }
  assert {
    condition     = length(aws_cloudwatch_metric_alarm.calls) + length(aws_cloudwatch_metric_alarm.duration) == 6
    error_message = "Six alarms were expected."
  }
  assert {
    condition     = length(aws_cloudwatch_event_rule.rotation_failed) == 0 && length(aws_sns_topic.alarms) == 0
    error_message = "No rule and no topic were expected."
  }
  assert {
    condition     = length(aws_secretsmanager_secret_rotation.this) == 0
    error_message = "No secret was expected to be attached."
  }
}

run "attaches_secrets_without_rotating_them" {
  variables {
    secrets = {
      shop    = { arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:shop-a1B2c3" }
      billing = { arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:billing-d4E5f6", strategy = "alternating-users", duration = "3h" }
    }
    superuser_secret_arns = ["arn:aws:secretsmanager:eu-west-1:111122223333:secret:rds!*"]
  }
  assert {
    condition     = alltrue([for each in aws_secretsmanager_secret_rotation.this : !each.rotate_immediately])
    error_message = "A secret would be rotated at once."
  }
  assert {
    condition     = length(aws_iam_policy.read_secrets) == 1
    error_message = "A policy for the applications was expected."
  }
}

run "leaves_out_what_is_not_wanted" {
  variables {
    create_alarms    = false
    create_dashboard = false
    existing_role_arns = {
      "single-user"       = "arn:aws:iam::111122223333:role/team/rotation"
      "alternating-users" = "arn:aws:iam::111122223333:role/team/rotation-superuser"
    }
  }
  assert {
    condition     = length(aws_cloudwatch_metric_alarm.calls) + length(aws_cloudwatch_dashboard.this) + length(aws_iam_role.this) == 0
    error_message = "No alarm, dashboard or role was expected."
  }
  assert {
    condition     = aws_lambda_function.this["single-user"].role == "arn:aws:iam::111122223333:role/team/rotation"
    error_message = "The given role was expected."
  }
}

run "leaves_a_vpc_with_its_permissions" {
  variables {
    keep_network_permissions = true
  }
  assert {
    condition     = length(aws_iam_role_policy.run_in_vpc) == 2 && length(aws_lambda_function.this["single-user"].vpc_config) == 0
    error_message = "The permissions were expected without the VPC."
  }
}

run "knows_other_partitions" {
  override_data {
    target = data.aws_partition.current
    values = { partition = "aws-cn", dns_suffix = "amazonaws.com.cn" }
  }
  override_data {
    target = data.aws_region.current
    values = { id = "cn-north-1" }
  }
  assert {
    condition     = startswith(output.dashboard_url, "https://cn-north-1.console.amazonaws.cn/cloudwatch/")
    error_message = "The console of China was expected."
  }
  assert {
    condition     = strcontains(output.role_policies["single-user"], "arn:aws-cn:secretsmanager:cn-north-1:111122223333:secret:*")
    error_message = "The partition of China was expected."
  }
}
