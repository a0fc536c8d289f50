variable "package_directory" {
  description = "Folder with single-user.zip and alternating-users.zip."
  type        = string
}

variable "secrets" {
  description = "Secrets to attach, by names of their own."
  type = map(object({
    arn      = string
    strategy = optional(string, "alternating-users")
  }))
}

variable "superuser_secret_arns" {
  description = "Secrets of the admin logins; all that RDS manages in an account and region are arn:aws:secretsmanager:REGION:ACCOUNT:secret:rds!*"
  type        = list(string)
}

variable "subnet_ids" {
  description = "Subnets from which the databases and Secrets Manager can be reached."
  type        = list(string)
}

variable "security_group_ids" {
  description = "Security groups of the functions."
  type        = list(string)
}

variable "alarm_topic_arns" {
  description = "SNS topics to tell of alarms and failed rotations."
  type        = list(string)
  default     = []
}
