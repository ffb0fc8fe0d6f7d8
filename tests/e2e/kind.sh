#!/usr/bin/env bash
# A kind cluster for the end-to-end tests, with Pawl of these sources on it; its kubeconfig is
# build/kubeconfig. usage: kind.sh NODE_IMAGE   (needs docker, kind, helm, kubectl, sudo)
set -euo pipefail
cd "$(dirname "$0")/../.."
volumes=/var/lib/pawl-e2e
export KUBECONFIG=build/kubeconfig
mkdir -p build
sudo install -d -m 0777 $volumes $volumes/store

# folders of the node are folders of this machine
kind create cluster --image "$1" --wait 180s --config - <<YAML
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
nodes:
  - role: control-plane
    extraMounts: [{hostPath: $volumes, containerPath: $volumes}]
networking: {podSubnet: 10.244.0.0/16, serviceSubnet: 10.96.0.0/16}
YAML
# and so are the addresses of its pods and services
node=$(kubectl get nodes -o jsonpath='{.items[0].status.addresses[?(@.type=="InternalIP")].address}')
sudo ip route replace 10.244.0.0/16 via "$node"
sudo ip route replace 10.96.0.0/16 via "$node"

version=$(sed -n 's/^appVersion: //p' helm/pawl/Chart.yaml)
for image in operator server server-sklearn trainer router; do
  docker build -q -f images/Dockerfile --target $image --build-arg VERSION="$version" -t "pawl/$image:$version" .
  kind load docker-image "pawl/$image:$version"
done

kubectl create namespace pawl-system
kubectl apply -f - <<YAML
apiVersion: v1
kind: PersistentVolume
metadata: {name: pawl-system-pawl-store}
spec:
  accessModes: [ReadWriteMany]
  storageClassName: ""
  capacity: {storage: 1Gi}
  hostPath: {path: $volumes/store}
  claimRef: {namespace: pawl-system, name: pawl-store}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: pawl-store, namespace: pawl-system}
spec:
  accessModes: [ReadWriteMany]
  storageClassName: ""
  volumeName: pawl-system-pawl-store
  resources: {requests: {storage: 1Gi}}
YAML
helm install pawl helm/pawl --namespace pawl-system --wait --timeout 180s \
  --set store.uri=file:///pawl/store --set store.claim=pawl-store
