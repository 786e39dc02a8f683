#!/usr/bin/env python3
"""Checks each object of the manifests against the schema of its kind, unknown fields included.

The schemas are those of Kubernetes (kubernetes-validate) and, for custom resources, cert-manager's and the Prometheus
operator's (cloudcoil).

Usage: schema_test.py [unittest's arguments]
"""

import copy
import importlib
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parent))
from manifests import HERE, OVERLAYS, Manifests, example, render, root, yaml  # noqa: E402

import kubernetes_validate  # noqa: E402

VERSION = "1.37"
OF_CLUSTERS = ("Namespace", "PriorityClass")  # Kinds that are in no namespace.
CUSTOM = {  # Modules of cloudcoil.models.
    "cert-manager.io/v1": "cert_manager.v1",
    "monitoring.coreos.com/v1": "prometheus_operator.v1",
}


def without_nulls(value):
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    return value


def check_custom(item):
    """The models ignore unknown fields, but then do not return them."""
    module = importlib.import_module(f"cloudcoil.models.{CUSTOM[item['apiVersion']]}")
    model = getattr(module, item["kind"]).model_validate(item)
    read = without_nulls(model.model_dump(by_alias=True, mode="json", exclude_unset=True))
    if read != item:
        raise AssertionError(f"the schema of {item['kind']} does not know all of\n{yaml.dump(item)}\nbut only\n"
                             f"{yaml.dump(read)}")


def check(item):
    if item["apiVersion"] in CUSTOM:
        check_custom(item)
    else:
        kubernetes_validate.validate(item, VERSION, strict=True)


class SchemaTest(unittest.TestCase):
    def test_every_object_is_valid(self):
        seen = {}
        for overlay in OVERLAYS:
            items = render(root() / "overlays" / overlay)
            self.assertGreater(len(items), 20)
            for item in items:
                key = yaml.dump(item)
                if key in seen:
                    continue
                seen[key] = True
                with self.subTest(overlay=overlay, kind=item["kind"], name=item["metadata"]["name"]):
                    check(item)

    def test_names_are_unique(self):
        for overlay in OVERLAYS:
            names = [(item["kind"], item["metadata"]["name"]) for item in render(root() / "overlays" / overlay)]
            self.assertEqual(len(names), len(set(names)), overlay)

    def test_objects_are_in_the_namespace(self):
        # kubectl would put others into the namespace of its context.
        for overlay in OVERLAYS:
            for item in render(root() / "overlays" / overlay):
                with self.subTest(overlay=overlay, kind=item["kind"], name=item["metadata"]["name"]):
                    self.assertEqual(item["metadata"].get("namespace"), None if item["kind"] in OF_CLUSTERS else "apollo")

    def test_the_pod_that_fills_the_volume_is_valid(self):
        (pod,) = example("load_model.yaml")
        check(pod)

    def test_wrong_objects_are_found(self):
        manifests = Manifests("production")
        for kind, name, path, value in (
                ("Deployment", "router", ("spec", "template", "spec", "readOnlyRootFilesystem"), True),
                ("StatefulSet", "dense", ("spec", "template", "spec", "terminationGracePeriodSeconds"), "60s"),
                ("NetworkPolicy", "dense", ("spec", "podSelecter"), {}),
                ("Certificate", "edge", ("spec", "uriSANs"), ["spiffe://apollo/edge/edge"]),
                ("Certificate", "edge", ("spec", "uris"), "spiffe://apollo/edge/edge"),
                ("PodMonitor", "apollo-moe", ("spec", "endpoints"), [])):
            item = copy.deepcopy(manifests.get(kind, name))
            check(item)
            parent = item
            for part in path[:-1]:
                parent = parent[part]
            parent[path[-1]] = value
            with self.subTest(kind=kind, path=path), self.assertRaises(Exception):
                check(item)

    def test_unknown_kinds_are_found(self):
        with self.assertRaises(kubernetes_validate.SchemaNotFoundError):
            check({"apiVersion": "apps/v1", "kind": "DeploymentSet", "metadata": {"name": "x"}})

    def test_examples_are_yaml(self):
        for path in (HERE / "examples").glob("*.yaml"):
            for item in yaml.safe_load_all(path.read_text()):
                self.assertTrue(item, path)


if __name__ == "__main__":
    unittest.main()
