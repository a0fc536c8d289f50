# The functions' own metrics carry no function name: modules of one account and region share their plots.
locals {
  console_host = lookup({
    "aws-cn"     = "console.amazonaws.cn"
    "aws-us-gov" = "console.amazonaws-us-gov.com"
  }, local.partition, "console.aws.amazon.com")

  metrics     = "PostgresSecretRotation"
  step_search = "{${local.metrics},service,step,strategy} MetricName=\"StepDuration\""
  code_search = "{${local.metrics},code,service,step,strategy} MetricName=\"StepFailed\""
  labels      = { "single-user" = "single user", "alternating-users" = "alternating users" }
  colours = {
    "single-user"       = { succeeded = "#2ca02c", failed = "#d62728" }
    "alternating-users" = { succeeded = "#98df8a", failed = "#ff9896" }
  }
  in_order = ["single-user", "alternating-users"]

  outcome_plot = {
    title = "Rotations by outcome", region = local.region, view = "timeSeries", stacked = true
    stat  = "Sum", period = 3600, yAxis = { left = { min = 0 } }
    metrics = concat(
      [for each in local.in_order : [
        local.metrics, "RotationSucceeded", "service", "postgres-secret-rotation", "strategy", each,
        { label = "Succeeded, ${local.labels[each]}", color = local.colours[each].succeeded },
      ]],
      [for each in local.in_order : [{
        expression = "SUM(SEARCH('${local.code_search} strategy=\"${each}\"', 'Sum', 3600))"
        label      = "Failed, ${local.labels[each]}", color = local.colours[each].failed
      }]],
    )
  }

  code_plot = {
    title = "Failures by code", region = local.region, view = "timeSeries", stacked = true
    stat  = "Sum", period = 3600, yAxis = { left = { min = 0 } }
    metrics = [[{
      expression = "SEARCH('${local.code_search}', 'Sum', 3600)"
      label      = "$${PROP('Dim.code')}, $${PROP('Dim.step')}, $${PROP('Dim.strategy')}"
    }]]
  }

  duration_plots = [for each in local.in_order : {
    title  = "Step durations, ${local.labels[each]} (95th percentile)"
    region = local.region, view = "timeSeries", stacked = false
    stat   = "p95", period = 3600, yAxis = { left = { min = 0, label = "ms", showUnits = false } }
    metrics = [[{
      expression = "SEARCH('${local.step_search} strategy=\"${each}\"', 'p95', 3600)"
      label      = "$${PROP('Dim.step')}"
    }]]
  }]

  call_plot = {
    title  = "Calls, errors and throttles of the functions"
    region = local.region, view = "timeSeries", stacked = false
    stat   = "Sum", period = 3600, yAxis = { left = { min = 0 } }
    metrics = concat([for each in local.in_order : [for row in [
      { metric = "Invocations", label = "Calls" },
      { metric = "Errors", label = "Errors" },
      { metric = "Throttles", label = "Throttles" },
      ] : [
      "AWS/Lambda", row.metric, "FunctionName", local.function_names[each],
      { label = "${row.label}, ${local.labels[each]}" },
    ]]]...)
  }

  failure_table = {
    title = "Latest failures", region = local.region, view = "table"
    query = join(" | ", [
      "SOURCE '${aws_cloudwatch_log_group.this["single-user"].name}'",
      "SOURCE '${aws_cloudwatch_log_group.this["alternating-users"].name}'",
      "filter ispresent(error_code)",
      "fields @timestamp, error_code, step, secret_arn, remedy",
      "sort @timestamp desc",
      "limit 50",
    ])
  }
}

resource "aws_cloudwatch_dashboard" "this" {
  count = var.create_dashboard ? 1 : 0

  dashboard_name = var.name
  dashboard_body = jsonencode({
    start = "-P14D"
    widgets = [
      { type = "metric", x = 0, y = 0, width = 12, height = 6, properties = local.outcome_plot },
      { type = "metric", x = 12, y = 0, width = 12, height = 6, properties = local.code_plot },
      { type = "metric", x = 0, y = 6, width = 12, height = 6, properties = local.duration_plots[0] },
      { type = "metric", x = 12, y = 6, width = 12, height = 6, properties = local.duration_plots[1] },
      { type = "metric", x = 0, y = 12, width = 12, height = 6, properties = local.call_plot },
      { type = "log", x = 12, y = 12, width = 12, height = 6, properties = local.failure_table },
    ]
  })
}
