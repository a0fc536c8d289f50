# Values that make no sense, by themselves or together, are refused in words before anything is made.
mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }
  mock_data "aws_region" {
    defaults = { id = "eu-west-1" }
  }
}

variables {
  s3_packages = {
    bucket = "releases"
    keys   = { "single-user" = "single-user.zip", "alternating-users" = "alternating-users.zip" }
  }
}

run "refuses_values_that_make_no_sense" {
  command = plan
  variables {
    name                     = "1st"
    packages                 = { "single-user" = "a.zip" }
    s3_packages              = { bucket = "releases", keys = {} }
    function_name_prefix     = "a.b"
    runtime                  = "nodejs20.x"
    architecture             = "arm"
    memory_size              = 64
    timeout_seconds          = 3
    aws_max_attempts         = 0
    subnet_ids               = ["vpc-0a1b2c3d"]
    security_group_ids       = ["sg-1"]
    secrets_manager_endpoint = "http://vpce.amazonaws.com"
    superuser_secret_arns    = ["arn:aws:secretsmanager:eu-west-1:111122223333:secret:*"]
    iam_administrator_arns   = ["arn:aws:rds-db:eu-west-1:111122223333:dbuser:*/rotator"]
    kms_key_arns             = ["arn:aws:kms:eu-west-1:111122223333:alias/a"]
    existing_role_arns       = { both = "arn:aws:iam::111122223333:role/a" }
    role_path                = "team"
    permissions_boundary_arn = "boundary"
    secrets                  = { shop = { arn = "shop" } }
    application_secret_arns  = ["shop"]
    password_length          = 7
    exclude_characters       = "é"
    password_hashing         = "none"
    tls_fallback             = "maybe"
    database_ca_file         = "ca.pem"
    database_ca_layer_arn    = "layer"
    log_level                = "TRACE"
    log_retention_days       = 2
    log_kms_key_arn          = "alias/logs"
    alarm_topic_arns         = ["operators"]
    alarm_email              = "operators"
    success_topic_arns       = ["restarts"]
    connection_string_keys   = ["a,b"]
  }
  expect_failures = [
    var.name,
    var.packages,
    var.s3_packages,
    var.function_name_prefix,
    var.runtime,
    var.architecture,
    var.memory_size,
    var.timeout_seconds,
    var.aws_max_attempts,
    var.subnet_ids,
    var.security_group_ids,
    var.secrets_manager_endpoint,
    var.superuser_secret_arns,
    var.iam_administrator_arns,
    var.kms_key_arns,
    var.existing_role_arns,
    var.role_path,
    var.permissions_boundary_arn,
    var.secrets,
    var.application_secret_arns,
    var.password_length,
    var.exclude_characters,
    var.password_hashing,
    var.tls_fallback,
    var.database_ca_file,
    var.database_ca_layer_arn,
    var.log_level,
    var.log_retention_days,
    var.log_kms_key_arn,
    var.alarm_topic_arns,
    var.alarm_email,
    var.success_topic_arns,
    var.connection_string_keys,
  ]
}

run "refuses_a_strategy_that_makes_no_sense" {
  command = plan
  variables {
    secrets = { shop = { arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:shop-a1B2c3", strategy = "both" } }
  }
  expect_failures = [var.secrets]
}

run "refuses_a_schedule_that_makes_no_sense" {
  command = plan
  variables {
    secrets = { shop = { arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:shop-a1B2c3", schedule_expression = "rate(30 minutes)" } }
  }
  expect_failures = [var.secrets]
}

run "refuses_a_window_that_makes_no_sense" {
  command = plan
  variables {
    secrets = { shop = { arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:shop-a1B2c3", duration = "25h" } }
  }
  expect_failures = [var.secrets]
}

run "refuses_what_makes_no_sense_together" {
  command = plan
  variables {
    s3_packages      = null
    alarm_email      = "ops@example.com"
    alarm_topic_arns = ["arn:aws:sns:eu-west-1:111122223333:operators"]
  }
  expect_failures = [aws_lambda_function.this, aws_sns_topic.alarms]
}

run "refuses_alternating_users_without_a_superuser" {
  command = plan
  variables {
    secrets = { shop = { arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:shop-a1B2c3", strategy = "alternating-users" } }
  }
  expect_failures = [aws_secretsmanager_secret_rotation.this]
}

run "refuses_subnets_without_security_groups" {
  command = plan
  variables {
    subnet_ids = ["subnet-0a1b2c3d"]
  }
  expect_failures = [aws_lambda_function.this]
}
