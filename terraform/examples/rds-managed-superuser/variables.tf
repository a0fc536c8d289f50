variable "db_instance_identifier" {
  description = "RDS instance whose superuser secret RDS manages."
  type        = string
}

variable "secret_name" {
  description = "The application's secret, whose masterarn is the superuser secret."
  type        = string
}

variable "package_bucket" {
  description = "Bucket of the same region that has the zips."
  type        = string
}

variable "package_version" {
  description = "Release that begins the zips' keys, such as 0.2.0."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets from which the database, Secrets Manager and the RDS API can be reached."
  type        = list(string)
}

variable "security_group_ids" {
  description = "Security groups of the functions."
  type        = list(string)
}

variable "kms_key_arns" {
  description = "Keys of one's own that the two secrets are encrypted under."
  type        = list(string)
  default     = []
}
