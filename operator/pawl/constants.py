"""The words that more than one part of Pawl must spell alike. A leaf: it imports nothing."""

GROUP = "pawl.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
FIELD_MANAGER = "pawl"
COMPONENT = "pawl-operator"

# Labels on everything Pawl creates. Values are object names or small enums, never user text.
LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
LABEL_TRAINING_JOB = f"{GROUP}/training-job"
LABEL_DEPLOYMENT = f"{GROUP}/deployment"
LABEL_MODEL = f"{GROUP}/model"
LABEL_VERSION = f"{GROUP}/version"
LABEL_ROLE = f"{GROUP}/role"
LABEL_RUN = f"{GROUP}/run"
LABEL_POLL = f"{GROUP}/poll"  # which look at the data, from 1
LABEL_TRIAL = f"{GROUP}/trial"  # of a search, from 0
LABEL_ATTEMPT = f"{GROUP}/attempt"  # of a run of several workers, from 1

# The two things a pod of ours may be to its router or its job.
ROLE_SERVER = "server"
ROLE_ROUTER = "router"
ROLE_TRAINER = "trainer"
ROLE_WATCH = "watch"  # of the ConfigMap that keeps what was counted

# Environment of the containers: paths come by environment because mount paths are only a
# convention on a real kubelet and are rewritten by the embedded one.
ENV_RUN_CONFIG = "PAWL_RUN_CONFIG"  # path of run.json (artifacts.runs.RunConfig)
ENV_WORK_DIR = "PAWL_WORK_DIR"  # the workspace that the stages of a training pod share
ENV_DATA_DIR = "PAWL_DATA_DIR"  # file contract: where `train` finds its data
ENV_CLAIM_DIR = "PAWL_CLAIM_DIR"  # where the claim of a pvc:// data URI is mounted
ENV_CLAIMS_DIR = "PAWL_CLAIMS_DIR"  # holds a folder for each further claim, by its name
ENV_PARAMETERS = "PAWL_PARAMETERS"  # file contract: JSON file with the parameters
ENV_OUTPUT_DIR = "PAWL_OUTPUT_DIR"  # file contract: where `train` leaves its model
ENV_CHECKPOINT_DIR = "PAWL_CHECKPOINT_DIR"  # file contract: what survives attempts
CHECKPOINTS = "checkpoints"  # the sidecar that copies them into the store, and the pod's volume
ENV_SEED = "PAWL_SEED"
ENV_TRIAL = "PAWL_TRIAL"  # of a trial's stages: artifacts.runs.TrialTask as JSON
ENV_SEEN = "PAWL_SEEN"  # of a look at the data: artifacts.runs.Seen as JSON
ENV_TERMINATION_LOG = "PAWL_TERMINATION_LOG"
ENV_INDEX = "JOB_COMPLETION_INDEX"  # which of several workers; Kubernetes sets it
ENV_STORE = "PAWL_STORE"  # URI of the artifact store of the installation
ENV_ALLOWED_ESTIMATORS = (
    "PAWL_ALLOWED_ESTIMATORS"  # comma-separated import paths or prefixes `pkg.`
)
ENV_ALLOWED_URIS = "PAWL_NAMESPACE_URIS"  # JSON list of artifacts.uris rules; unset: no rules

ENV_MODEL = "PAWL_MODEL"
ENV_MODEL_VERSION = "PAWL_MODEL_VERSION"  # "7"
ENV_ARTIFACT_URI = "PAWL_ARTIFACT_URI"
ENV_ARTIFACT_DIGEST = "PAWL_ARTIFACT_DIGEST"
ENV_BIND_ADDRESS = "BIND_ADDRESS"
ENV_PORT = "PORT"
ENV_MONITOR_PORT = "PAWL_MONITOR_PORT"  # 0 or unset: no monitor, no feedback
ENV_PAIR_BY = "PAWL_PAIR_BY"  # what a request and its copy share: request-id (default) or body
ENV_FEEDBACK_KEY = "PAWL_FEEDBACK_KEY"  # comma-separated, each 32 bytes in base64; the first seals
ENV_CAPTURE = "PAWL_CAPTURE"  # capture.config.Choice as JSON; unset: nothing is captured
ENV_CAPTURE_DIR = "PAWL_CAPTURE_DIR"  # through which rows go from the servers to the writer
ENV_CAPTURE_URI = "PAWL_CAPTURE_URI"  # of the writer: where captured rows go
ENV_CAPTURE_RETENTION = "PAWL_CAPTURE_RETENTION"  # of the writer: a duration, like 90d
ENV_POD = "PAWL_POD"  # the pod's name

ENV_VERIFY_KEYS = "PAWL_VERIFY_KEYS"  # public keys in PEM; unset: signatures are not looked at
ENV_SIGNING_KEY = "PAWL_SIGNING_KEY"  # of publish: a private key in PEM; unset: nothing is signed

STORE_SECRET = "pawl-store"  # noqa: S105 - the name of a Secret, not its content
SIGNING_SECRET = "pawl-signing"  # noqa: S105 - likewise; its `key` is only given to publish

SERVER_PORT = 8080
MONITOR_PORT = 8082  # of a server: what it counted, for the operator; never routed
ROUTER_PORT = 8080

# Exit codes of the stages; the Job's podFailurePolicy reads them (docs/file-contract.md).
EXIT_USER_ERROR = 10  # the input is wrong: trying again cannot help
EXIT_STORE_UNREACHABLE = 11  # retried in the pod first, then by the Job's backoffLimit
EXIT_NO_NEW_DATA = 12  # of prepare: the data are those that were trained on; nothing is trained

# Of a custom-metrics API: inference requests per second of a pod (docs/serving.md).
METRIC_REQUESTS = "pawl_server_requests_per_second"

ANNOTATION_SERVED = f"{GROUP}/served-version"  # on a server: which artifact, as JSON
ANNOTATION_ROUTE = f"{GROUP}/route"  # on the router's ConfigMap: core.routing.route.Route as JSON
ANNOTATION_MEMORY = f"{GROUP}/memory"  # there too: core.serving_children.Memory as JSON
ANNOTATION_REFRESH = f"{GROUP}/refresh"  # touched on pods so that the kubelet refreshes volumes
ANNOTATION_RUN_CONFIG = f"{GROUP}/run-config"  # on pods of a run: run.json
ANNOTATION_RUN_KEY = f"{GROUP}/run-key"  # on a ModelVersion: <TrainingJob uid>-<run>
ROUTER_STATE_PORT = 8081  # of the router: readiness, state and statistics; never routed
# On a TrainingJob, written by users or their pipeline: the source that trains, for the lineage.
ANNOTATION_CODE_REPO = f"{GROUP}/code-repo"
ANNOTATION_CODE_REVISION = f"{GROUP}/code-revision"
# On a TrainingJob that drift started, when it was in vain: Fruitless or Failed.
ANNOTATION_OUTCOME = f"{GROUP}/outcome"
ANNOTATION_WINDOW = f"{GROUP}/window"  # on a ConfigMap: which window of which version it holds
ANNOTATION_RECIPE = f"{GROUP}/recipe-digest"  # on a Job: core.recipe.recipe_digest
# on a Job of several workers: how many attempts have failed before, and that a disruption ended it
ANNOTATION_FAILURES = f"{GROUP}/failures"
ANNOTATION_DISRUPTED = f"{GROUP}/disrupted"
ANNOTATION_TRIAL = f"{GROUP}/trial"  # on a trial's Job: what is in PAWL_TRIAL
# on a Job of a search that an earlier run began: that run
ANNOTATION_SEARCH_RUN = f"{GROUP}/search-run"

# What the router tells a server about a request; what clients send by these names is removed.
HEADER_WEIGHT = "x-pawl-weight"  # percent of the requests that this version got
HEADER_USER = "x-pawl-user"  # who is kept at one version
HEADER_SALT = "x-pawl-salt"  # of the rollout
