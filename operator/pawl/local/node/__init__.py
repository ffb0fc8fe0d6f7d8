"""The node of the embedded cluster: pods as host processes, in place of a kubelet and kube-proxy.

kubelet    watches the pods bound to the node and runs one worker each
pod        one pod from its volumes to its last status; container: one container's incarnations
process    one process in a session of its own; guardian: nothing outlives the cluster
volumes, environment, paths, images      what a container sees
probes, hooks, logs, status              what the cluster sees of a container
network    the loopback addresses of one cluster; dns, services, proxy: how pods find each other

Sources for behaviour and wording: k8s.io/kubernetes v1.36 pkg/kubelet and pkg/probe.
"""
