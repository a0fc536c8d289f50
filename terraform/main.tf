data "aws_partition" "current" {}
data "aws_caller_identity" "current" {}
data "aws_region" "current" {}

locals {
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
  # The one attribute that holds the region's name under provider 5 and 6.
  region = data.aws_region.current.id

  # Each resource that a function has one of is made for each of these.
  strategies = {
    "single-user" = {
      description = "Rotates PostgreSQL passwords in Secrets Manager, replacing the user's own password"
      environment = { for name, value in { PROMOTE = "early" } : name => value if var.promote_early }
    }
    "alternating-users" = {
      description = "Rotates PostgreSQL passwords in Secrets Manager, letting two logins take turns"
      environment = { ALTERNATING_SET_ROLE = tostring(var.alternating_set_role) }
    }
  }

  function_names = {
    for strategy in keys(local.strategies) : strategy => "${coalesce(var.function_name_prefix, var.name)}-${strategy}"
  }

  # Most variables that are set and empty are refused by the functions, and any of AWS's password variables switches from
  # our alphabet to AWS's rules: what is null is not set.
  environment = {
    for name, value in {
      POWERTOOLS_LOG_LEVEL       = var.log_level
      PASSWORD_HASHING           = var.password_hashing
      TLS_FALLBACK               = var.tls_fallback
      ALLOW_POOLER               = tostring(var.allow_pooler)
      AWS_MAX_ATTEMPTS           = try(tostring(var.aws_max_attempts), null)
      SECRETS_MANAGER_ENDPOINT   = var.secrets_manager_endpoint
      DB_CA_FILE                 = var.database_ca_file
      CONNECTION_STRING_KEYS     = length(var.connection_string_keys) > 0 ? join(",", var.connection_string_keys) : null
      PASSWORD_LENGTH            = try(tostring(var.password_length), null)
      EXCLUDE_CHARACTERS         = var.exclude_characters
      EXCLUDE_UPPERCASE          = try(tostring(var.exclude_uppercase), null)
      EXCLUDE_LOWERCASE          = try(tostring(var.exclude_lowercase), null)
      EXCLUDE_NUMBERS            = try(tostring(var.exclude_numbers), null)
      EXCLUDE_PUNCTUATION        = try(tostring(var.exclude_punctuation), null)
      REQUIRE_EACH_INCLUDED_TYPE = try(tostring(var.require_each_included_type), null)
    } : name => value if value != null
  }

  attach_commands = {
    for strategy, function in aws_lambda_function.this : strategy => join(" ", [
      "aws secretsmanager rotate-secret --region ${local.region} --secret-id SECRET_ARN",
      "--rotation-lambda-arn ${function.arn}",
      "--rotation-rules '{\"ScheduleExpression\":\"rate(30 days)\"}' --no-rotate-immediately",
    ])
  }
}

# No reserved concurrency: below 10 it makes rotations loop, and it takes concurrency from everyone else.
resource "aws_lambda_function" "this" {
  for_each = local.strategies

  function_name = local.function_names[each.key]
  description   = each.value.description
  role          = try(var.existing_role_arns[each.key], aws_iam_role.this[each.key].arn)
  handler       = "index.handler"
  runtime       = var.runtime
  architectures = [var.architecture]
  memory_size   = var.memory_size
  timeout       = var.timeout_seconds
  layers        = var.database_ca_layer_arn == null ? [] : [var.database_ca_layer_arn]

  filename         = try(var.packages[each.key], null)
  source_code_hash = try(filebase64sha256(var.packages[each.key]), null)
  s3_bucket        = try(var.s3_packages.bucket, null)
  s3_key           = try(var.s3_packages.keys[each.key], null)

  environment {
    variables = merge(local.environment, each.value.environment)
  }

  # Text, because Lambda's JSON format drops metric lines (which have no level) as soon as its level is above INFO.
  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.this[each.key].name
  }

  dynamic "vpc_config" {
    for_each = length(var.subnet_ids) > 0 ? [true] : []
    content {
      subnet_ids         = var.subnet_ids
      security_group_ids = var.security_group_ids
    }
  }

  tags = var.tags

  # What Lambda itself needs before it can make the function, and until it has left the VPC.
  depends_on = [aws_iam_role_policy.write_own_log, aws_iam_role_policy.run_in_vpc]

  lifecycle {
    precondition {
      condition     = (var.packages == null) != (var.s3_packages == null)
      error_message = "The functions' zips are given either as packages (files) or as s3_packages (objects)."
    }
    precondition {
      condition     = (length(var.subnet_ids) == 0) == (length(var.security_group_ids) == 0)
      error_message = "subnet_ids and security_group_ids are given together or not at all."
    }
  }
}

resource "aws_cloudwatch_log_group" "this" {
  for_each = local.strategies

  name              = "/aws/lambda/${var.name}/${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.log_kms_key_arn
  tags              = var.tags
}

resource "aws_lambda_permission" "secrets_manager" {
  for_each = local.strategies

  statement_id   = "SecretsManager"
  action         = "lambda:InvokeFunction"
  function_name  = aws_lambda_function.this[each.key].function_name
  principal      = "secretsmanager.amazonaws.com"
  source_account = local.account_id
}

# A secret's key is its identity here: renaming it detaches the secret and attaches it again.
resource "aws_secretsmanager_secret_rotation" "this" {
  for_each = var.secrets

  secret_id           = each.value.arn
  rotation_lambda_arn = aws_lambda_function.this[each.value.strategy].arn
  rotate_immediately  = each.value.rotate_immediately

  rotation_rules {
    schedule_expression = each.value.schedule_expression
    duration            = each.value.duration
  }

  # Secrets Manager calls the function while this is made.
  depends_on = [aws_lambda_permission.secrets_manager, aws_iam_role_policy.rotate_attached_secrets]

  lifecycle {
    precondition {
      condition = (
        each.value.strategy != "alternating-users" || length(var.superuser_secret_arns) > 0 ||
        contains(keys(var.existing_role_arns), "alternating-users")
      )
      error_message = "A secret attached for alternating-users needs its superuser secret in superuser_secret_arns."
    }
  }
}
