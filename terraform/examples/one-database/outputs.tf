output "secret_arn" {
  description = "For the application."
  value       = aws_secretsmanager_secret.shop.arn
}

output "function_arn" {
  description = "The function that rotates it."
  value       = module.rotation.single_user_function_arn
}

output "read_secrets_policy_arns" {
  description = "For the application's role."
  value       = module.rotation.read_secrets_policy_arns
}
