variable "name" {
  description = "Begins the names of everything that is made here; one for each use of the module in an account and region."
  type        = string
  default     = "postgres-rotation"

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9_-]{0,45}$", var.name))
    error_message = "name must be 1 to 46 letters, digits, hyphens and underscores, a letter first."
  }
}

variable "tags" {
  description = "Tags of everything that is made here and can have them."
  type        = map(string)
  default     = {}
}

# Functions -----------------------------------------------------------------------------------------------------------

variable "packages" {
  description = "Files of the functions' zips, by strategy. Null: they are in S3, see s3_packages."
  type        = map(string)
  default     = null

  validation {
    condition     = var.packages == null || try(sort(keys(var.packages)) == tolist(["alternating-users", "single-user"]), false)
    error_message = "packages must have the keys single-user and alternating-users."
  }
}

variable "s3_packages" {
  description = "The functions' zips in a bucket of the same region, with their keys by strategy. A new release is a new key. Null: they are files, see packages."
  type        = object({ bucket = string, keys = map(string) })
  default     = null

  validation {
    condition     = var.s3_packages == null || try(sort(keys(var.s3_packages.keys)) == tolist(["alternating-users", "single-user"]), false)
    error_message = "s3_packages.keys must have the keys single-user and alternating-users."
  }
}

variable "function_name_prefix" {
  description = "Begins the functions' names, before -single-user and -alternating-users. SecretsManager… lets operators with AWS's policy SecretsManagerReadWrite invoke them. Null: name."
  type        = string
  default     = null

  validation {
    condition     = var.function_name_prefix == null || can(regex("^[A-Za-z0-9_-]{1,46}$", var.function_name_prefix))
    error_message = "function_name_prefix must be 1 to 46 letters, digits, hyphens and underscores."
  }
}

variable "runtime" {
  description = "Lambda's Node. nodejs24.x needs AWS provider 6.19 or later."
  type        = string
  default     = "nodejs22.x"

  validation {
    condition     = contains(["nodejs22.x", "nodejs24.x"], var.runtime)
    error_message = "runtime must be nodejs22.x or nodejs24.x."
  }
}

variable "architecture" {
  description = "Instruction set of the functions: arm64 or x86_64."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture must be arm64 or x86_64."
  }
}

variable "memory_size" {
  description = "Memory of the functions in MB, 128 to 10240; processor time grows with it."
  type        = number
  default     = 256

  validation {
    condition     = var.memory_size >= 128 && var.memory_size <= 10240 && floor(var.memory_size) == var.memory_size
    error_message = "memory_size must be a whole number from 128 to 10240."
  }
}

variable "timeout_seconds" {
  description = "Time that one rotation step may take, in seconds, 15 to 900. A silent database is reported before it is over."
  type        = number
  default     = 60

  validation {
    condition     = var.timeout_seconds >= 15 && var.timeout_seconds <= 900 && floor(var.timeout_seconds) == var.timeout_seconds
    error_message = "timeout_seconds must be a whole number from 15 to 900."
  }
}

variable "aws_max_attempts" {
  description = "Tries of one call to Secrets Manager, the first included, 1 to 100. Null: 7."
  type        = number
  default     = null

  validation {
    condition     = var.aws_max_attempts == null || try(contains(range(1, 101), var.aws_max_attempts), false)
    error_message = "aws_max_attempts must be a whole number from 1 to 100."
  }
}

# Network -------------------------------------------------------------------------------------------------------------

variable "subnet_ids" {
  description = "Subnets to run in, from which the databases and Secrets Manager can be reached. Empty: outside any VPC, for databases with a public address only."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for id in var.subnet_ids : can(regex("^subnet-[0-9a-f]{8,17}$", id))])
    error_message = "subnet_ids must be subnet ids."
  }
}

variable "security_group_ids" {
  description = "Security groups of the functions. Needed with subnets, and only then."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for id in var.security_group_ids : can(regex("^sg-[0-9a-f]{8,17}$", id))])
    error_message = "security_group_ids must be security group ids."
  }
}

variable "keep_network_permissions" {
  description = "true: the roles keep the permissions for network interfaces without subnets, which Lambda needs for up to 40 minutes after the functions have left a VPC."
  type        = bool
  default     = false
  nullable    = false
}

variable "secrets_manager_endpoint" {
  description = "URL of a VPC endpoint that has no private DNS name. Null: the region's own, which is right with private DNS, a NAT gateway or no VPC."
  type        = string
  default     = null

  validation {
    condition     = var.secrets_manager_endpoint == null || can(regex("^https://[A-Za-z0-9.-]+(:[0-9]{1,5})?/?$", var.secrets_manager_endpoint))
    error_message = "secrets_manager_endpoint must be an https URL without a path."
  }
}

# What the functions may use ------------------------------------------------------------------------------------------

variable "superuser_secret_arns" {
  description = "Full ARNs of the secrets that hold the admin logins (masterarn) for alternating users, those that RDS manages (rds!…) included; for those an asterisk may stand for the rest. Empty: the alternating-users function can read none."
  type        = list(string)
  default     = []

  validation {
    condition = alltrue([
      for arn in var.superuser_secret_arns :
      can(regex("^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:([A-Za-z0-9/_+=.@!-]+-[A-Za-z0-9]{6}|rds!((db|cluster)-)?\\*)$", arn))
    ])
    error_message = "superuser_secret_arns must be full secret ARNs with their six-character suffix, or begin with rds! and end with an asterisk."
  }
  validation {
    condition     = length(join(",", var.superuser_secret_arns)) <= 4096
    error_message = "superuser_secret_arns must have at most 4,096 characters; use the module once for each group of databases."
  }
}

variable "iam_administrator_arns" {
  description = "ARNs of the database users as which the alternating-users function may log in by IAM (arn:…:rds-db:…:dbuser:db-…/rotator), for superuser secrets with iam set. Empty: none."
  type        = list(string)
  default     = []

  validation {
    condition = alltrue([
      for arn in var.iam_administrator_arns :
      can(regex("^arn:aws[a-z-]*:rds-db:[a-z0-9-]+:[0-9]{12}:dbuser:(db|cluster)-[A-Za-z0-9]+/[A-Za-z0-9_.@$+=-]+$", arn))
    ])
    error_message = "iam_administrator_arns must be dbuser ARNs with the resource id of an instance or a cluster and a user, without asterisks."
  }
  validation {
    condition     = length(join(",", var.iam_administrator_arns)) <= 1024
    error_message = "iam_administrator_arns must have at most 1,024 characters."
  }
}

variable "kms_key_arns" {
  description = "ARNs of the customer-managed KMS keys that encrypt the secrets (keys, not aliases). Empty: all are encrypted under aws/secretsmanager."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.kms_key_arns : can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[a-zA-Z0-9-]+$", arn))])
    error_message = "kms_key_arns must be key ARNs."
  }
  # Within IAM's quota for a role, 10,240 characters, and for a managed policy, 6,144.
  validation {
    condition     = length(join(",", var.kms_key_arns)) <= 1024
    error_message = "kms_key_arns must have at most 1,024 characters."
  }
}

variable "existing_role_arns" {
  description = "Roles made elsewhere, by strategy (single-user, alternating-users), instead of those that would be made here; output role_policies says what they must allow."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = length(setsubtract(keys(var.existing_role_arns), ["single-user", "alternating-users"])) == 0
    error_message = "existing_role_arns may have the keys single-user and alternating-users."
  }
  validation {
    condition     = alltrue([for arn in values(var.existing_role_arns) : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$", arn))])
    error_message = "existing_role_arns must be role ARNs."
  }
}

variable "role_path" {
  description = "IAM path of the roles and policies."
  type        = string
  default     = "/"

  validation {
    condition     = can(regex("^/([!-~]+/)?$", var.role_path))
    error_message = "role_path must begin and end with a slash."
  }
}

variable "permissions_boundary_arn" {
  description = "ARN of a policy to set as the roles' permissions boundary, where the account demands one. Null: none."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null || can(regex("^arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/.+$", var.permissions_boundary_arn))
    error_message = "permissions_boundary_arn must be the ARN of an IAM policy."
  }
}
