# One database, one login, rotated for single user. The login exists in the database, with the password that is given to
# the first apply as TF_VAR_initial_password; it is in no plan and no state.

resource "aws_secretsmanager_secret" "shop" {
  name                    = var.secret_name
  description             = "Login of the shop in its database"
  recovery_window_in_days = 7
}

resource "aws_secretsmanager_secret_version" "shop" {
  secret_id = aws_secretsmanager_secret.shop.id
  secret_string_wo = jsonencode({
    engine   = var.database.engine
    host     = var.database.host
    port     = var.database.port
    dbname   = var.database.name
    username = var.database.username
    password = var.initial_password
    ssl      = var.database.ssl
  })
  # Raise it only to put another password there by hand: from the first rotation on the function writes the values.
  secret_string_wo_version = 1
}

module "rotation" {
  source = "../.."

  packages = {
    "single-user"       = "${var.package_directory}/single-user.zip"
    "alternating-users" = "${var.package_directory}/alternating-users.zip"
  }

  subnet_ids         = var.subnet_ids
  security_group_ids = var.security_group_ids
  alarm_email        = var.alarm_email

  secrets = {
    shop = {
      # Of the value, not of the secret: Secrets Manager tries the login when it is attached, so it has to be there.
      arn                 = aws_secretsmanager_secret_version.shop.arn
      schedule_expression = var.schedule_expression
      duration            = "2h"
    }
  }
}
