# Alternating users on an RDS instance whose superuser secret RDS manages. The application's secret names that secret as
# masterarn; the database has its login `app` already, with the password of the secret.

data "aws_db_instance" "orders" {
  db_instance_identifier = var.db_instance_identifier
}

data "aws_secretsmanager_secret" "app" {
  name = var.secret_name
}

module "rotation" {
  source = "../.."

  s3_packages = {
    bucket = var.package_bucket
    keys = {
      "single-user"       = "${var.package_version}/single-user.zip"
      "alternating-users" = "${var.package_version}/alternating-users.zip"
    }
  }

  subnet_ids            = var.subnet_ids
  security_group_ids    = var.security_group_ids
  superuser_secret_arns = data.aws_db_instance.orders.master_user_secret[*].secret_arn
  kms_key_arns          = var.kms_key_arns

  secrets = {
    app = {
      arn                 = data.aws_secretsmanager_secret.app.arn
      strategy            = "alternating-users"
      schedule_expression = "rate(30 days)"
    }
  }
}
