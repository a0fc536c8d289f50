locals {
  makes_topic   = var.alarm_email != null
  tells_anybody = local.makes_topic || length(var.alarm_topic_arns) > 0
  topics = {
    for index, arn in concat(aws_sns_topic.alarms[*].arn, var.alarm_topic_arns) : tostring(index) => arn
  }

  alarms = {
    for alarm in flatten([
      for strategy, name in local.function_names : [
        for metric, description in {
          Errors    = "A rotation step of the ${strategy} function failed; its log has the error code and the remedy."
          Throttles = "Lambda refused calls of the ${strategy} function for want of concurrency."
        } : { strategy = strategy, metric = metric, description = description, function_name = name }
      ]
    ]) : "${alarm.strategy}-${lower(alarm.metric)}" => alarm
  }
}

resource "aws_cloudwatch_metric_alarm" "calls" {
  for_each = var.create_alarms ? local.alarms : {}

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  alarm_actions       = values(local.topics)
  namespace           = "AWS/Lambda"
  metric_name         = each.value.metric
  dimensions          = { FunctionName = each.value.function_name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  tags                = var.tags
}

resource "aws_cloudwatch_metric_alarm" "duration" {
  for_each = var.create_alarms ? local.function_names : {}

  alarm_name          = "${var.name}-${each.key}-duration"
  alarm_description   = "A step of the ${each.key} function took more than 80 % of its time-out."
  alarm_actions       = values(local.topics)
  evaluation_periods  = 1
  threshold           = 80
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  tags                = var.tags

  metric_query {
    id    = "percent"
    label = "Percent of the time-out"
    # Duration is in milliseconds, the time-out in seconds.
    expression  = "duration / (${var.timeout_seconds} * 10)"
    return_data = true
  }

  metric_query {
    id          = "duration"
    return_data = false
    metric {
      stat        = "Maximum"
      period      = 300
      namespace   = "AWS/Lambda"
      metric_name = "Duration"
      dimensions  = { FunctionName = each.value }
    }
  }
}

# What Secrets Manager reports of these functions, and what it reports without naming a function: the event has no field
# for it, but the sentence of a failed call has the function's ARN in it.
resource "aws_cloudwatch_event_rule" "rotation_failed" {
  count = local.tells_anybody ? 1 : 0

  name        = "${var.name}-rotation-failed"
  description = "Tells of rotations that Secrets Manager reports as failed or abandoned (needs a CloudTrail trail)"
  event_pattern = jsonencode({
    source        = ["aws.secretsmanager"]
    "detail-type" = ["AWS Service Event via CloudTrail"]
    detail = {
      eventSource = ["secretsmanager.amazonaws.com"]
      eventName   = ["RotationFailed", "TestRotationFailed", "RotationAbandoned"]
      errorMessage = concat(
        [{ exists = false }, { "anything-but" = { wildcard = "*:function:*" } }],
        [for strategy in local.in_order : { wildcard = "*${aws_lambda_function.this[strategy].arn}*" }],
      )
    }
  })
  tags = var.tags
}

resource "aws_cloudwatch_event_target" "rotation_failed" {
  for_each = local.topics

  rule      = aws_cloudwatch_event_rule.rotation_failed[0].name
  target_id = "Topic${each.key}"
  arn       = each.value

  input_transformer {
    input_paths = {
      account = "$.account"
      event   = "$.detail.eventName"
      region  = "$.region"
      secret  = "$.detail.additionalEventData.SecretId"
      time    = "$.time"
    }
    input_template = "\"${join(" ", [
      "<event>: Secrets Manager reports this of the secret <secret> (account <account>, <region>) at <time>.",
      "What is wrong and what to do: rotation doctor <secret>.",
      "The function's log tells which step failed, and why.",
    ])}\""
  }
}

resource "aws_cloudwatch_event_rule" "rotation_succeeded" {
  count = length(var.success_topic_arns) > 0 ? 1 : 0

  name        = "${var.name}-rotation-succeeded"
  description = "Tells of each rotation that Secrets Manager reports as successful (needs a CloudTrail trail)"
  event_pattern = jsonencode({
    source        = ["aws.secretsmanager"]
    "detail-type" = ["AWS Service Event via CloudTrail"]
    detail = {
      eventSource = ["secretsmanager.amazonaws.com"]
      eventName   = ["RotationSucceeded"]
    }
  })
  tags = var.tags
}

resource "aws_cloudwatch_event_target" "rotation_succeeded" {
  count = length(var.success_topic_arns)

  rule      = aws_cloudwatch_event_rule.rotation_succeeded[0].name
  target_id = "Topic${count.index}"
  arn       = var.success_topic_arns[count.index]
}

# Not encrypted with alias/aws/sns, whose key policy would keep CloudWatch and EventBridge out. No message holds a secret.
resource "aws_sns_topic" "alarms" {
  count = local.makes_topic ? 1 : 0

  name         = "${var.name}-alarms"
  display_name = "PostgreSQL secret rotation"
  tags         = var.tags

  lifecycle {
    precondition {
      condition     = length(var.alarm_topic_arns) == 0
      error_message = "alarm_topic_arns or alarm_email is given, not both; subscribe the address to the topic instead."
    }
  }
}

resource "aws_sns_topic_subscription" "email" {
  count = local.makes_topic ? 1 : 0

  topic_arn = aws_sns_topic.alarms[0].arn
  protocol  = "email"
  endpoint  = var.alarm_email
}

resource "aws_sns_topic_policy" "alarms" {
  count = local.makes_topic ? 1 : 0

  arn = aws_sns_topic.alarms[0].arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      # Without a Condition: EventBridge's user guide allows none in the policy of a topic.
      {
        Sid       = "TellOfFailedRotations"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sns:Publish"
        Resource  = aws_sns_topic.alarms[0].arn
      },
      {
        Sid       = "TellOfAlarms"
        Effect    = "Allow"
        Principal = { Service = "cloudwatch.amazonaws.com" }
        Action    = "sns:Publish"
        Resource  = aws_sns_topic.alarms[0].arn
        Condition = {
          StringEquals = { "aws:SourceAccount" = local.account_id }
          ArnLike      = { "aws:SourceArn" = "arn:${local.partition}:cloudwatch:${local.region}:${local.account_id}:alarm:${var.name}-*" }
        }
      },
    ]
  })
}
