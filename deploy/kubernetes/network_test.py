#!/usr/bin/env python3
"""Checks which connections the NetworkPolicies allow: those that the cluster needs, and no others.

Usage: network_test.py [unittest's arguments]
"""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parent))
from manifests import OVERLAYS, Manifests, matches  # noqa: E402

NAMESPACE = "kubernetes.io/metadata.name"


class Pod:
    """A pod, or a client: its labels, and those of its namespace."""

    def __init__(self, name, labels, namespace, ports=None):
        self.name, self.labels, self.namespace, self.ports = name, labels, namespace, ports or {}


OTHERS = [
    Pod("proxy", {"app": "envoy"}, {NAMESPACE: "edge", "apollo-moe/edge": "allowed"}),
    Pod("prometheus", {"app.kubernetes.io/name": "prometheus"}, {NAMESPACE: "monitoring"}),
    Pod("other in monitoring", {"app.kubernetes.io/name": "grafana"}, {NAMESPACE: "monitoring"}),
    Pod("false prometheus", {"app.kubernetes.io/name": "prometheus"}, {NAMESPACE: "default"}),
    Pod("false worker", {"app.kubernetes.io/component": "dense-worker"}, {NAMESPACE: "default"}),
    Pod("stranger beside", {"app": "debug"}, {NAMESPACE: "apollo"}),
    Pod("dns", {"k8s-app": "kube-dns"}, {NAMESPACE: "kube-system"}),
    Pod("internet", {}, {}),
]


class Network:
    """What NetworkPolicies of one namespace allow (https://kubernetes.io/docs/concepts/services-networking/)."""

    def __init__(self, manifests):
        self.policies = [item["spec"] for item in manifests.of("NetworkPolicy")]
        (namespace,) = manifests.of("Namespace")
        self.own = {NAMESPACE: namespace["metadata"]["name"]}
        self.pods = []
        for workload in manifests.workloads():
            ports = {port["name"]: port["containerPort"] for port in workload.server["ports"]}
            self.pods.append(Pod(workload.name, workload.labels, self.own, ports))

    def _peer(self, peer, pod):
        if not set(peer) <= {"namespaceSelector", "podSelector"}:
            raise AssertionError(f"cannot check {peer}")
        if "namespaceSelector" in peer:
            inside = matches(peer["namespaceSelector"], pod.namespace)
        else:
            inside = pod.namespace == self.own
        return inside and matches(peer.get("podSelector", {}), pod.labels)

    def _side(self, direction, pod, other, port, protocol):
        """Returns whether the policies of one side allow the connection."""
        if pod.namespace != self.own:
            return True
        applying = [policy for policy in self.policies
                    if direction in policy["policyTypes"] and matches(policy["podSelector"], pod.labels)]
        target = pod if direction == "Ingress" else other
        peers = "from" if direction == "Ingress" else "to"
        for policy in applying:
            for rule in policy.get(direction.lower(), []):
                numbers = [(item["protocol"], target.ports.get(item["port"], item["port"])) for item in rule["ports"]]
                if (protocol, port) in numbers and any(self._peer(peer, other) for peer in rule[peers]):
                    return True
        return not applying

    def allowed(self, source, target, port, protocol="TCP"):
        return (self._side("Egress", source, target, port, protocol)
                and self._side("Ingress", target, source, port, protocol))


def role(pod):
    return pod.labels.get("app.kubernetes.io/component", pod.name) if pod.ports else pod.name


EXPECTED = {
    ("proxy", "router", 50051),
    ("router", "dense-worker", 7001),
    ("dense-worker", "expert-worker", 7001),
    ("expert-worker", "expert-worker", 7001),
    ("prometheus", "router", 9464),
    ("prometheus", "dense-worker", 9464),
    ("prometheus", "expert-worker", 9464),
}


class NetworkTest(unittest.TestCase):
    def test_only_what_is_needed_is_allowed(self):
        for overlay in OVERLAYS:
            network = Network(Manifests(overlay))
            ports = {50051, 7001, 7901, 9464, 22, 443}
            found = {(role(source), role(target), port)
                     for source in network.pods + OTHERS for target in network.pods for port in ports
                     if network.allowed(source, target, port)}
            self.assertEqual(found, EXPECTED, overlay)

    def test_pods_reach_dns_and_nothing_else_outside(self):
        for overlay in OVERLAYS:
            network = Network(Manifests(overlay))
            for pod in network.pods:
                reached = {(other.name, port, protocol) for other in OTHERS for port in (53, 80, 443, 7001)
                           for protocol in ("TCP", "UDP") if network.allowed(pod, other, port, protocol)}
                self.assertEqual(reached, {("dns", 53, "TCP"), ("dns", 53, "UDP")}, pod.name)

    def test_every_pod_is_denied_what_is_not_allowed(self):
        for overlay in OVERLAYS:
            manifests = Manifests(overlay)
            (deny,) = [item["spec"] for item in manifests.of("NetworkPolicy") if item["metadata"]["name"] == "deny"]
            self.assertEqual(deny, {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]})

    def test_the_check_itself_finds_what_is_missing(self):
        for missing in ("deny", "router"):
            manifests = Manifests("cpu")
            manifests.items.remove(manifests.get("NetworkPolicy", missing))
            network = Network(manifests)
            (router,) = [pod for pod in network.pods if pod.name == "router"]
            proxy = OTHERS[0]
            internet = OTHERS[-1]
            self.assertEqual(network.allowed(proxy, router, 50051), missing == "deny")
            self.assertFalse(network.allowed(internet, router, 50051))
        manifests.items = [item for item in manifests.items if item["kind"] != "NetworkPolicy"]
        network = Network(manifests)
        self.assertTrue(network.allowed(internet, network.pods[0], 22))


if __name__ == "__main__":
    unittest.main()
