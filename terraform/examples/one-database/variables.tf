variable "package_directory" {
  description = "Folder with single-user.zip and alternating-users.zip."
  type        = string
}

variable "secret_name" {
  description = "Name of the secret."
  type        = string
  default     = "prod/shop"
}

variable "database" {
  description = "Where the login belongs; ssl = false for a server without TLS only. Amazon Redshift: engine redshift, port 5439."
  type = object({
    engine   = optional(string, "postgres")
    host     = string
    port     = optional(number, 5432)
    name     = string
    username = string
    ssl      = optional(bool, true)
  })
}

variable "initial_password" {
  description = "Password that the login has now. Any text once the secret has a value."
  type        = string
  ephemeral   = true
  sensitive   = true
}

variable "schedule_expression" {
  description = "When to rotate, in UTC."
  type        = string
  default     = "cron(0 2 ? * SUN *)"
}

variable "subnet_ids" {
  description = "Subnets from which the database and Secrets Manager can be reached."
  type        = list(string)
  default     = []
}

variable "security_group_ids" {
  description = "Security groups of the functions."
  type        = list(string)
  default     = []
}

variable "alarm_email" {
  description = "Address to tell of alarms and failed rotations. Null: nobody is told."
  type        = string
  default     = null
}
