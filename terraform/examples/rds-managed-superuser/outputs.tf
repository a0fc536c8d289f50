output "function_arn" {
  description = "The function that rotates the secret."
  value       = module.rotation.alternating_users_function_arn
}
