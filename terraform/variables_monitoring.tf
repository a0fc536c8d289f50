variable "log_level" {
  description = "Least level that is logged: DEBUG, INFO, WARN or ERROR. No level logs a password. At WARN and ERROR `rotation` can't show the steps."
  type        = string
  default     = "INFO"

  validation {
    condition     = contains(["DEBUG", "INFO", "WARN", "ERROR"], var.log_level)
    error_message = "log_level must be DEBUG, INFO, WARN or ERROR."
  }
}

variable "log_retention_days" {
  description = "Days after which log lines are deleted, of those that CloudWatch Logs knows."
  type        = number
  default     = 90

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a number of days that CloudWatch Logs knows, such as 30, 90 or 365."
  }
}

variable "log_kms_key_arn" {
  description = "ARN of the KMS key that encrypts the log groups; its policy must let logs.REGION.amazonaws.com use it. Null: CloudWatch Logs' own."
  type        = string
  default     = null

  validation {
    condition     = var.log_kms_key_arn == null || can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[a-zA-Z0-9-]+$", var.log_kms_key_arn))
    error_message = "log_kms_key_arn must be a key ARN."
  }
}

variable "alarm_topic_arns" {
  description = "SNS topics to tell of alarms and failed rotations; their policies must let cloudwatch.amazonaws.com and events.amazonaws.com publish. Empty: see alarm_email."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.alarm_topic_arns : can(regex("^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}$", arn))])
    error_message = "alarm_topic_arns must be ARNs of standard SNS topics."
  }
}

variable "alarm_email" {
  description = "Address to tell of alarms and failed rotations, over a topic made here. Null: nobody is told."
  type        = string
  default     = null

  validation {
    condition     = var.alarm_email == null || can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", var.alarm_email))
    error_message = "alarm_email must be one e-mail address."
  }
}

variable "success_topic_arns" {
  description = "SNS topics to tell of each successful rotation, for what has to start anew then; their policies must let events.amazonaws.com publish. Empty: none."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.success_topic_arns : can(regex("^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}$", arn))])
    error_message = "success_topic_arns must be ARNs of standard SNS topics."
  }
}

variable "create_alarms" {
  description = "Whether to make the six alarms."
  type        = bool
  default     = true
  nullable    = false
}

variable "create_dashboard" {
  description = "Whether to make the dashboard."
  type        = bool
  default     = true
  nullable    = false
}
