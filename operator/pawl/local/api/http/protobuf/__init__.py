"""The protobuf form of request bodies, which typed Go clients (kubectl create, run, …) send."""
