# Many secrets, each rotated in its own hours of the month, so that the databases and the account's quota are spared. Roles
# and topic are the account's own.

locals {
  names = sort(keys(var.secrets))

  # Day 1 to 28 and hour 0 to 20, by the secret's place in the alphabet.
  schedules = {
    for index, name in local.names : name =>
    "cron(0 ${(index % 6) * 4} ${floor(index / 6) % 28 + 1} * ? *)"
  }
}

module "rotation" {
  source = "../.."

  name                 = "fleet-rotation"
  function_name_prefix = "SecretsManager-fleet"

  packages = {
    "single-user"       = "${var.package_directory}/single-user.zip"
    "alternating-users" = "${var.package_directory}/alternating-users.zip"
  }

  subnet_ids            = var.subnet_ids
  security_group_ids    = var.security_group_ids
  superuser_secret_arns = var.superuser_secret_arns
  role_path             = "/rotation/"
  alarm_topic_arns      = var.alarm_topic_arns

  secrets = {
    for name, secret in var.secrets : name => {
      arn                 = secret.arn
      strategy            = secret.strategy
      schedule_expression = local.schedules[name]
      duration            = "4h"
    }
  }

  tags = { Service = "secret-rotation" }
}
