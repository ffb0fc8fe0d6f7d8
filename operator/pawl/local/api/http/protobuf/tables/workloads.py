"""Messages of the groups that run pods: apps, batch, autoscaling, policy."""

from __future__ import annotations

APPS_V1 = """
Deployment: metadata spec status
DeploymentCondition: type status 4 reason message lastUpdateTime lastTransitionTime
DeploymentSpec: replicas? selector template strategy minReadySeconds revisionHistoryLimit? paused 9
    progressDeadlineSeconds?
DeploymentStatus: observedGeneration replicas updatedReplicas availableReplicas unavailableReplicas
    conditions readyReplicas collisionCount? terminatingReplicas?
DeploymentStrategy: type rollingUpdate
ReplicaSet: metadata spec status
ReplicaSetCondition: type status lastTransitionTime reason message
ReplicaSetSpec: replicas? selector template minReadySeconds
ReplicaSetStatus: replicas fullyLabeledReplicas observedGeneration readyReplicas availableReplicas
    conditions terminatingReplicas?
RollingUpdateDeployment: maxUnavailable maxSurge
"""

BATCH_V1 = """
Job: metadata spec status
JobCondition: type status lastProbeTime lastTransitionTime reason message
JobSpec: parallelism? completions? activeDeadlineSeconds? selector manualSelector? template
    backoffLimit? ttlSecondsAfterFinished? completionMode? suspend? podFailurePolicy
    backoffLimitPerIndex? maxFailedIndexes? podReplacementPolicy? managedBy? successPolicy
JobStatus: conditions startTime completionTime active succeeded failed completedIndexes
    uncountedTerminatedPods ready? failedIndexes? terminating?
PodFailurePolicy: rules
PodFailurePolicyOnExitCodesRequirement: containerName? operator values
PodFailurePolicyOnPodConditionsPattern: type status
PodFailurePolicyRule: action onExitCodes onPodConditions
SuccessPolicy: rules
SuccessPolicyRule: succeededIndexes? succeededCount?
UncountedTerminatedPods: succeeded failed
"""

AUTOSCALING_V1 = """
CrossVersionObjectReference: kind name apiVersion
HorizontalPodAutoscaler: metadata spec status
HorizontalPodAutoscalerSpec: scaleTargetRef minReplicas? maxReplicas targetCPUUtilizationPercentage?
HorizontalPodAutoscalerStatus: observedGeneration? lastScaleTime currentReplicas desiredReplicas
    currentCPUUtilizationPercentage?
Scale: metadata spec status
ScaleSpec: replicas
ScaleStatus: replicas selector
"""

AUTOSCALING_V2 = """
ContainerResourceMetricSource: name target container
ContainerResourceMetricStatus: name current container
CrossVersionObjectReference: kind name apiVersion
ExternalMetricSource: metric target
ExternalMetricStatus: metric current
HPAScalingPolicy: type value periodSeconds
HPAScalingRules: selectPolicy? policies stabilizationWindowSeconds? tolerance
HorizontalPodAutoscaler: metadata spec status
HorizontalPodAutoscalerBehavior: scaleUp scaleDown
HorizontalPodAutoscalerCondition: type status lastTransitionTime reason message
HorizontalPodAutoscalerSpec: scaleTargetRef minReplicas? maxReplicas metrics behavior
HorizontalPodAutoscalerStatus: observedGeneration? lastScaleTime currentReplicas desiredReplicas
    currentMetrics conditions
MetricIdentifier: name selector
MetricSpec: type object pods resource external 7 containerResource
MetricStatus: type object pods resource external 7 containerResource
MetricTarget: type value averageValue averageUtilization?
MetricValueStatus: value averageValue averageUtilization?
ObjectMetricSource: describedObject target metric
ObjectMetricStatus: metric current describedObject
PodsMetricSource: metric target
PodsMetricStatus: metric current
ResourceMetricSource: name target
ResourceMetricStatus: name current
"""

POLICY_V1 = """
Eviction: metadata deleteOptions
PodDisruptionBudget: metadata spec status
PodDisruptionBudgetSpec: minAvailable selector maxUnavailable unhealthyPodEvictionPolicy?
PodDisruptionBudgetStatus: observedGeneration disruptedPods disruptionsAllowed currentHealthy
    desiredHealthy expectedPods conditions
"""
