terraform {
  required_version = ">= 1.11" # for values that are in no state

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.88, < 7.0"
    }
  }
}
