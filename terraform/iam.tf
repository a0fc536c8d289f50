locals {
  own_roles = setsubtract(keys(local.strategies), keys(var.existing_role_arns))

  all_secrets = "arn:${local.partition}:secretsmanager:${local.region}:${local.account_id}:secret:*"
  via_secrets_manager = distinct([
    "secretsmanager.${local.region}.amazonaws.com",
    "secretsmanager.${local.region}.${data.aws_partition.current.dns_suffix}",
  ])
  network_actions = [
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
  ]
  runs_in_vpc = length(var.subnet_ids) > 0 || var.keep_network_permissions

  write_own_log = {
    for strategy, group in aws_cloudwatch_log_group.this : strategy => [{
      Sid      = "WriteOwnLog"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = "${group.arn}:*"
    }]
  }

  run_in_vpc = local.runs_in_vpc ? [{
    Sid      = "RunInVpc"
    Effect   = "Allow"
    Action   = local.network_actions
    Resource = "*"
  }] : []

  read_superuser_secrets = length(var.superuser_secret_arns) == 0 ? [] : [
    {
      Sid      = "ReadSuperuserSecrets"
      Effect   = "Allow"
      Action   = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"]
      Resource = var.superuser_secret_arns
    },
    # Host and port of a superuser secret that RDS manages, and whether a host is a replica of the superuser's.
    {
      Sid    = "FindDatabases"
      Effect = "Allow"
      Action = ["rds:DescribeDBClusters", "rds:DescribeDBInstances"]
      Resource = [
        "arn:${local.partition}:rds:${local.region}:${local.account_id}:cluster:*",
        "arn:${local.partition}:rds:${local.region}:${local.account_id}:db:*",
      ]
    },
  ]

  log_in_by_iam = length(var.iam_administrator_arns) == 0 ? [] : [{
    Sid      = "LogInByIam"
    Effect   = "Allow"
    Action   = ["rds-db:connect"]
    Resource = var.iam_administrator_arns
  }]

  use_keys = length(var.kms_key_arns) == 0 ? [] : [{
    Sid      = "UseKeysForSecretsOnly"
    Effect   = "Allow"
    Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
    Resource = var.kms_key_arns
    Condition = {
      StringLike   = { "kms:EncryptionContext:SecretARN" = local.all_secrets }
      StringEquals = { "kms:ViaService" = local.via_secrets_manager }
    }
  }]

  # Lambda calls EC2 with the function's role; calls that carry the function's ARN come from its code.
  no_network_from_code = {
    for strategy, function in aws_lambda_function.this : strategy => local.runs_in_vpc ? [{
      Sid       = "NoNetworkInterfacesFromCode"
      Effect    = "Deny"
      Action    = local.network_actions
      Resource  = "*"
      Condition = { ArnEquals = { "lambda:SourceFunctionArn" = function.arn } }
    }] : []
  }

  rotate_attached_secrets = {
    for strategy, function in aws_lambda_function.this : strategy => concat(
      [{
        Sid    = "RotateSecretsAttachedToThisFunction"
        Effect = "Allow"
        Action = [
          "secretsmanager:DescribeSecret",
          "secretsmanager:GetSecretValue",
          "secretsmanager:ListSecretVersionIds",
          "secretsmanager:PutSecretValue",
          "secretsmanager:UpdateSecretVersionStage",
        ]
        Resource  = local.all_secrets
        Condition = { StringEquals = { "secretsmanager:resource/AllowRotationLambdaArn" = function.arn } }
      }],
      strategy == "alternating-users" ? local.read_superuser_secrets : [],
      strategy == "alternating-users" ? local.log_in_by_iam : [],
      local.use_keys,
      local.no_network_from_code[strategy],
    )
  }

  # A managed policy holds 6,144 characters, and with keys each ARN is in it twice.
  readable_secrets = chunklist(concat([for secret in var.secrets : secret.arn], var.application_secret_arns), 10)
}

resource "aws_iam_role" "this" {
  for_each = local.own_roles

  name_prefix          = "${substr(var.name, 0, 38 - length("--${each.key}"))}-${each.key}-"
  path                 = var.role_path
  description          = "Execution role of the ${each.key} rotation function"
  permissions_boundary = var.permissions_boundary_arn
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "lambda.amazonaws.com" } }]
  })
  tags = var.tags
}

resource "aws_iam_role_policy" "write_own_log" {
  for_each = local.own_roles

  name   = "WriteOwnLog"
  role   = aws_iam_role.this[each.key].id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.write_own_log[each.key] })
}

resource "aws_iam_role_policy" "run_in_vpc" {
  for_each = local.runs_in_vpc ? local.own_roles : []

  name   = "RunInVpc"
  role   = aws_iam_role.this[each.key].id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.run_in_vpc })

  # Goes after the function has been changed, which Lambda does with these permissions.
  lifecycle {
    create_before_destroy = true
  }
}

# What the code needs. Apart from the others, because it names the function, which itself needs the role.
resource "aws_iam_role_policy" "rotate_attached_secrets" {
  for_each = local.own_roles

  name   = "RotateAttachedSecrets"
  role   = aws_iam_role.this[each.key].id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.rotate_attached_secrets[each.key] })
}

resource "aws_iam_policy" "read_secrets" {
  count = length(local.readable_secrets)

  name_prefix = "${var.name}-read-secrets-"
  path        = var.role_path
  description = "May read the database secrets named here, to log in with them"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid      = "ReadSecrets"
        Effect   = "Allow"
        Action   = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"]
        Resource = local.readable_secrets[count.index]
      }],
      length(var.kms_key_arns) == 0 ? [] : [{
        Sid      = "DecryptSecrets"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = var.kms_key_arns
        Condition = { StringEquals = {
          "kms:EncryptionContext:SecretARN" = local.readable_secrets[count.index]
          "kms:ViaService"                  = local.via_secrets_manager
        } }
      }],
    )
  })
  tags = var.tags
}
