# Secrets -------------------------------------------------------------------------------------------------------------

variable "secrets" {
  description = "Secrets to attach, under names of your own: full ARN, strategy (single-user or alternating-users), when to rotate in UTC (rate(N days), rate(N hours) or cron(0 HOURS DAY MONTH WEEKDAY *), at least 4 hours apart), length of the window, and whether to rotate when attached and whenever the schedule changes."
  type = map(object({
    arn                 = string
    strategy            = optional(string, "single-user")
    schedule_expression = optional(string, "rate(30 days)")
    duration            = optional(string)
    rotate_immediately  = optional(bool, false)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for secret in var.secrets : can(regex("^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@!-]+-[A-Za-z0-9]{6}$", secret.arn))])
    error_message = "secrets must have full secret ARNs with their six-character suffix as arn."
  }
  validation {
    condition     = alltrue([for secret in var.secrets : contains(["single-user", "alternating-users"], secret.strategy)])
    error_message = "The strategy of each of secrets must be single-user or alternating-users."
  }
  validation {
    condition     = alltrue([for secret in var.secrets : can(regex("^(rate\\([1-9][0-9]{0,2} (hours?|days?)\\)|cron\\(0 [^ ]+ [^ ]+ [^ ]+ [^ ]+ \\*\\))$", secret.schedule_expression))])
    error_message = "The schedule_expression of each of secrets must be rate(N days), rate(N hours) or cron(0 HOURS DAY MONTH WEEKDAY *)."
  }
  validation {
    condition     = alltrue([for secret in var.secrets : secret.duration == null || can(regex("^([1-9]|1[0-9]|2[0-4])h$", secret.duration))])
    error_message = "The duration of each of secrets must be 1h to 24h."
  }
}

variable "application_secret_arns" {
  description = "Full ARNs of secrets to put into the managed policies for the applications that read them, besides the secrets attached here."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.application_secret_arns : can(regex("^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@!-]+-[A-Za-z0-9]{6}$", arn))])
    error_message = "application_secret_arns must be full secret ARNs with their six-character suffix."
  }
}

# Passwords: null everywhere for 32 characters that need no escaping in a URL -----------------------------------------

variable "password_length" {
  description = "Characters, 8 to 4096. As soon as any of these options is set, AWS's rules apply: all 32 punctuation characters less those left out. Null: not set."
  type        = number
  default     = null

  validation {
    condition     = var.password_length == null || try(var.password_length >= 8 && var.password_length <= 4096 && floor(var.password_length) == var.password_length, false)
    error_message = "password_length must be a whole number from 8 to 4096."
  }
}

variable "exclude_characters" {
  description = "Characters that passwords must not have. Null: not set, which under AWS's rules means : / @ \" ' and \\."
  type        = string
  default     = null

  validation {
    condition     = var.exclude_characters == null || can(regex("^[ -~]+$", var.exclude_characters))
    error_message = "exclude_characters must be printable ASCII characters."
  }
}

variable "exclude_uppercase" {
  description = "Leave upper-case letters out. Null: not set."
  type        = bool
  default     = null
}

variable "exclude_lowercase" {
  description = "Leave lower-case letters out. Null: not set."
  type        = bool
  default     = null
}

variable "exclude_numbers" {
  description = "Leave digits out. Null: not set."
  type        = bool
  default     = null
}

variable "exclude_punctuation" {
  description = "Leave punctuation out. Null: not set."
  type        = bool
  default     = null
}

variable "require_each_included_type" {
  description = "Have at least one character of each type that is not left out. Null: not set."
  type        = bool
  default     = null
}

# Database ------------------------------------------------------------------------------------------------------------

variable "connection_string_keys" {
  description = "Keys of the secrets, such as DATABASE_URL and jdbcUrl, in which user and password are rewritten with each rotation. Empty: none."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for key in var.connection_string_keys : can(regex("^[^,\\s]+$", key))])
    error_message = "connection_string_keys must be keys without commas and spaces."
  }
}

variable "password_hashing" {
  description = "client: the password never leaves the function in clear. server: for servers whose password checks must see it (passwordcheck, credcheck)."
  type        = string
  default     = "client"

  validation {
    condition     = contains(["client", "server"], var.password_hashing)
    error_message = "password_hashing must be client or server."
  }
}

variable "tls_fallback" {
  description = "allow: secrets without an ssl key may be used in plain text where the server answers that it has no TLS, as AWS's functions do. deny: not."
  type        = string
  default     = "deny"

  validation {
    condition     = contains(["deny", "allow"], var.tls_fallback)
    error_message = "tls_fallback must be deny or allow."
  }
}

variable "database_ca_file" {
  description = "Path of a PEM file of CA certificates to trust besides Node's and Amazon's, such as /opt/ca.pem in a layer. Null: none."
  type        = string
  default     = null

  validation {
    condition     = var.database_ca_file == null || can(regex("^/[^\\s]+$", var.database_ca_file))
    error_message = "database_ca_file must be an absolute path without spaces."
  }
}

variable "database_ca_layer_arn" {
  description = "Version ARN of the Lambda layer that holds that file. Null: none."
  type        = string
  default     = null

  validation {
    condition     = var.database_ca_layer_arn == null || can(regex("^arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:layer:[A-Za-z0-9_-]+:[0-9]+$", var.database_ca_layer_arn))
    error_message = "database_ca_layer_arn must be the ARN of a layer version."
  }
}

variable "allow_pooler" {
  description = "true: secrets may name a connection pooler that asks the server for each password (PgBouncer's auth_query). A new password that turns out not to work is then not put back. Never for RDS Proxy."
  type        = bool
  default     = false
  nullable    = false
}

variable "alternating_set_role" {
  description = "true: whichever twin is logged in, current_user is the base role. false: as AWS's function leaves it, the twin acts as itself."
  type        = bool
  default     = true
  nullable    = false
}

variable "promote_early" {
  description = "true: the single-user function moves AWSCURRENT in setSecret, as soon as the new password has logged in, and not in finishSecret. AWSCURRENT is refused for less time. Not AWS's order of steps."
  type        = bool
  default     = false
  nullable    = false
}
