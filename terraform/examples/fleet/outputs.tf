output "schedules" {
  description = "When each secret is rotated, in UTC."
  value       = local.schedules
}

output "role_arns" {
  description = "Execution roles of the functions, for key policies."
  value       = [module.rotation.single_user_role_arn, module.rotation.alternating_users_role_arn]
}
