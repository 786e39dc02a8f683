#!/usr/bin/env python3
"""Checks that the manifests agree with the programs, with each other, and with the rules of docs/kubernetes.md.

Usage: manifests_test.py ROUTER DENSE_WORKER EXPERT_WORKER APOLLO VERSION_H DOCKERFILE FAMILIES [unittest's arguments]
"""

import os
import pathlib
import re
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parent))
from manifests import OVERLAYS, Manifests, add_overlay, example, mebibytes, root, seconds  # noqa: E402

PROGRAMS = {os.path.basename(path): os.path.abspath(path) for path in sys.argv[1:5]}
VERSION = re.search(r'kVersion\[\] = "(.*)"', pathlib.Path(sys.argv[5]).read_text())[1]
DOCKERFILE = pathlib.Path(sys.argv[6]).read_text()
FAMILIES = {line.split()[0] for line in pathlib.Path(sys.argv[7]).read_text().splitlines()
            if line and not line.startswith("#")}
LAST_CALLS = 15  # Seconds after --drain_timeout (docs/deployment.md, "Stopping").
MADE_BY_OPERATORS = {"model"}  # ConfigMaps.
POD_NAME = {"router": "router-6f4b9c7d5-x2x7q", "dense": "dense-0"}


def run(*command):
    return subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)


def expanded(text, workload):
    """Replaces the variables of a container, as Kubernetes does."""
    for name, value in (("POD_NAME", POD_NAME.get(workload.name, workload.name + "-0")), ("POD_NAMESPACE", "apollo")):
        text = text.replace(f"$({name})", value)
    return text


class EveryOverlay(unittest.TestCase):
    """Cases that are run for each overlay. Failures name the workload."""

    @classmethod
    def setUpClass(cls):
        cls.overlays = {name: Manifests(name) for name in OVERLAYS}
        cls.current = None

    def _formatMessage(self, msg, standardMsg):  # Called by unittest. # pylint: disable=invalid-name
        parts = [part for part in (self.current, msg) if part]
        return super()._formatMessage(": ".join(parts) or None, standardMsg)

    def each(self):
        """Yields the manifests of each overlay and each of their workloads."""
        for name, manifests in self.overlays.items():
            self.assertEqual({workload.role for workload in manifests.workloads()},
                             {"router", "dense-worker", "expert-worker"})
            for workload in manifests.workloads():
                self.current = f"{name}, {workload.name}"
                yield manifests, workload
        self.current = None


class ProgramsTest(EveryOverlay):
    def test_the_programs_have_the_flags(self):
        described = {name: run(path, "--help").stdout for name, path in PROGRAMS.items()}
        described["apollo"] += run(PROGRAMS["apollo"], "health", "--help").stdout
        missing = set()
        for _, workload in self.each():
            used = [(workload.program, f"--{flag}") for flag in workload.flags()]
            used += [("apollo", argument.partition("=")[0]) for probe in workload.probes().values()
                     for argument in probe if argument.startswith("--")]
            missing |= {(program, flag) for program, flag in used
                        if not re.search(rf"(?m)^  {flag}( |$)", described[program])}
        self.assertEqual(missing, set())

    def test_the_programs_accept_the_settings_but_for_the_missing_model(self):
        # Files cannot be given, nor what needs them: what reads them has tests of its own.
        files = {"model", "tls_cert", "tls_key", "tls_ca", "tls_client_auth", "policy", "jwt_keys", "audit_log",
                 "audit_files", "audit_max_megabytes"}
        for _, workload in self.each():
            flags = [f"--{name}={expanded(value, workload)}" for name, value in workload.flags().items()
                     if name not in files]
            result = run(PROGRAMS[workload.program], *flags, "--allow_plaintext=true")  # Without a certificate.
            self.assertEqual(result.returncode, 1, result.stdout)
            self.assertIn("--model is missing", result.stdout)

    def test_probes_ask_the_port_of_the_program(self):
        for _, workload in self.each():
            flags = workload.flags()
            port = flags["listen"].rpartition(":")[2]
            probes = workload.probes()
            for probe in probes.values():
                self.assertEqual(probe[0], "apollo")
                self.assertIn("health", probe)
                self.assertIn(f"--server=127.0.0.1:{port}", probe)
            self.assertEqual(probes["readinessProbe"][-1], "health")
            # A process that cannot serve must not be restarted for that.
            for name in ("startupProbe", "livenessProbe"):
                self.assertEqual(probes[name][-1], "--service=liveness")
            self.assertEqual(flags["listen"], f"0.0.0.0:{port}")
            ports = {item["name"]: item["containerPort"] for item in workload.server["ports"]}
            self.assertEqual(ports, {"grpc": int(port), "metrics": int(flags["metrics_listen"].rpartition(":")[2])})

    def test_processes_have_the_names_of_their_pods(self):
        for _, workload in self.each():
            self.assertEqual(workload.flags()["name"], "$(POD_NAME)")
            environment = {item["name"]: item.get("valueFrom", {}) for item in workload.server["env"]}
            self.assertEqual(environment["POD_NAME"], {"fieldRef": {"fieldPath": "metadata.name"}})
            self.assertEqual(environment["POD_NAMESPACE"], {"fieldRef": {"fieldPath": "metadata.namespace"}})

    def test_threads_are_those_that_are_requested(self):
        for manifests in self.overlays.values():
            for workload in manifests.workers():
                requests = workload.server["resources"]["requests"]
                self.assertEqual(workload.flags()["threads"], requests["cpu"])

    def test_the_cache_fits_into_the_memory(self):
        for manifests in self.overlays.values():
            for workload in manifests.workers():
                resources = workload.server["resources"]
                self.assertEqual(resources["requests"]["memory"], resources["limits"]["memory"])
                self.assertLess(2 * int(workload.flags()["cache_megabytes"]),
                                mebibytes(resources["limits"]["memory"]))

    def test_every_family_is_on_two_pods(self):
        for manifests in self.overlays.values():
            pods = dict.fromkeys(FAMILIES, 0)
            for workload in manifests.workloads():
                for family in workload.flags().get("families", "").split(","):
                    if workload.role == "expert-worker":
                        pods[family] += workload.replicas()
            self.assertGreaterEqual(min(pods.values()), 2, pods)

    def test_workers_have_the_same_numerics(self):
        for manifests in self.overlays.values():
            for flag in ("weights", "device", "cache_dtype"):
                self.assertEqual(len({workload.flags().get(flag) for workload in manifests.workers()}), 1, flag)


class NamesTest(EveryOverlay):
    def test_lists_of_workers_are_services_of_the_right_pods(self):
        callers = {"dense_workers": "dense-worker", "expert_workers": "expert-worker"}
        for manifests, workload in self.each():
            (flag,) = set(callers) & set(workload.flags())
            found = re.fullmatch(r"dns:([a-z-]+)\.\$\(POD_NAMESPACE\)\.svc\.cluster\.local:([0-9]+)",
                                 workload.flags()[flag])
            service = manifests.get("Service", found[1])
            self.assertEqual(service["spec"]["clusterIP"], "None")
            self.assertIs(service["spec"]["publishNotReadyAddresses"], True)
            selected = manifests.selected(service)
            self.assertEqual([item.name for item in selected],
                             [item.name for item in manifests.workloads() if item.role == callers[flag]])
            for item in selected:
                self.assertEqual(item.flags()["listen"].rpartition(":")[2], found[2])
                if item.kind == "StatefulSet":
                    self.assertEqual(item.item["spec"]["serviceName"], found[1])

    def test_services_have_ports_of_their_pods(self):
        for manifests in self.overlays.values():
            for service in manifests.of("Service"):
                for workload in manifests.selected(service):
                    ports = {item["name"]: item["containerPort"] for item in workload.server["ports"]}
                    for port in service["spec"]["ports"]:
                        self.assertEqual(ports[port["targetPort"]], port["port"])

    def test_what_is_mounted_exists(self):
        for manifests, workload in self.each():
            volumes = {volume["name"]: volume for volume in workload.pod["volumes"]}
            for container in workload.containers:
                mounted = [mount["name"] for mount in container["volumeMounts"]]
                self.assertLessEqual(set(mounted), set(volumes))
                paths = [mount["mountPath"] for mount in container["volumeMounts"]]
                self.assertEqual(len(paths), len(set(paths)))
            for volume in volumes.values():
                if "configMap" in volume and volume["configMap"]["name"] not in MADE_BY_OPERATORS:
                    manifests.get("ConfigMap", volume["configMap"]["name"])
                if "persistentVolumeClaim" in volume:
                    manifests.get("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"])

    def test_files_of_flags_are_mounted(self):
        for _, workload in self.each():
            paths = [mount["mountPath"] for mount in workload.server["volumeMounts"]]
            for flag in ("model", "tls_cert", "tls_key", "tls_ca", "policy", "jwt_keys", "audit_log"):
                value = workload.flags().get(flag)
                if value is not None:
                    self.assertTrue(any(f"{value}/".startswith(path + "/") for path in paths), flag)

    def test_another_namespace_needs_no_other_change(self):
        add_overlay(root(), "clinic", "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
                                      "namespace: clinic\nresources:\n  - ../production\n")
        for item in Manifests("clinic").items:
            self.assertEqual(item["metadata"].get("namespace", "clinic"), "clinic", item)
            if item["kind"] == "Namespace":
                self.assertEqual(item["metadata"]["name"], "clinic")


class CertificatesTest(EveryOverlay):
    def test_each_pod_has_the_certificate_of_its_role_and_name(self):
        for manifests, workload in self.each():
            attributes = workload.attributes()
            self.assertEqual(attributes["uri-sans"], f"spiffe://apollo/{workload.role}/${{POD_NAME}}")
            self.assertIn("server auth", attributes["key-usages"])
            self.assertIn("client auth", attributes["key-usages"])
            self.assertEqual(attributes["ip-sans"], "127.0.0.1")  # For probes.
            self.assertEqual(attributes["fs-group"], str(workload.pod["securityContext"]["fsGroup"]))
            issuer = manifests.get(attributes["issuer-kind"], attributes["issuer-name"])
            self.assertEqual(issuer["apiVersion"], "cert-manager.io/v1")
            self.assertIs(workload.volume("tls")["csi"]["readOnly"], True)

    def test_called_workers_have_the_name_that_callers_expect(self):
        for manifests, workload in self.each():
            list_flag = "dense_workers" if workload.role == "router" else "expert_workers"
            host = workload.flags()[list_flag].split(":")[1]
            self.assertEqual(workload.flags()["tls_server_name"], host)
            called = "dense-worker" if workload.role == "router" else "expert-worker"
            for worker in manifests.workers():
                if worker.role == called:
                    self.assertIn(host.replace("$(POD_NAMESPACE)", "${POD_NAMESPACE}"),
                                  worker.attributes()["dns-names"].split(","))

    def test_only_metrics_are_plaintext(self):
        for _, workload in self.each():
            flags = workload.flags()
            self.assertNotIn("allow_plaintext", flags)
            self.assertEqual(flags["metrics_plaintext"], "true")
            files = {flag: flags[flag] for flag in ("tls_cert", "tls_key", "tls_ca")}
            self.assertEqual(files, {"tls_cert": "/tls/tls.crt", "tls_key": "/tls/tls.key", "tls_ca": "/tls/ca.crt"})
            for flag, value in files.items():
                for probe in workload.probes().values():
                    self.assertIn(f"--{flag}={value}", probe)

    def test_certificates_are_renewed_before_processes_and_alerts_warn(self):
        for _, workload in self.each():
            attributes = workload.attributes()
            self.assertGreater(seconds(attributes["renew-before"]), 14 * 86400 + 7200)
            self.assertGreater(seconds(attributes["duration"]), seconds(attributes["renew-before"]))

    def test_certificates_of_people_and_proxies_have_issuers(self):
        for manifests in self.overlays.values():
            for certificate in manifests.of("Certificate"):
                spec = certificate["spec"]
                manifests.get("Issuer", spec["issuerRef"]["name"])
                if not spec.get("isCA"):
                    self.assertEqual(len(spec["uris"]), 1)
                    self.assertTrue(spec["uris"][0].startswith("spiffe://apollo/"))
                    self.assertNotIn("server auth", spec["usages"])


class PodsTest(EveryOverlay):
    def test_containers_are_confined(self):
        for _, workload in self.each():
            pod = workload.pod["securityContext"]
            self.assertIs(pod["runAsNonRoot"], True)
            self.assertEqual((pod["runAsUser"], pod["runAsGroup"]), (10001, 10001))  # That of the images.
            self.assertEqual(pod["seccompProfile"], {"type": "RuntimeDefault"})
            self.assertFalse({"hostNetwork", "hostPID", "hostIPC"} & set(workload.pod))
            for container in workload.containers:
                self.assertEqual(container["securityContext"],
                                 {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                                  "capabilities": {"drop": ["ALL"]}})

    def test_pods_have_no_tokens(self):
        for manifests, workload in self.each():
            self.assertIs(workload.pod["automountServiceAccountToken"], False)
            account = manifests.get("ServiceAccount", workload.pod["serviceAccountName"])
            self.assertIs(account["automountServiceAccountToken"], False)

    def test_images_are_those_of_the_dockerfile_in_this_version(self):
        for _, workload in self.each():
            for container in workload.containers:
                registry, _, image = container["image"].rpartition("/")
                name, _, tag = image.partition(":")
                # Without a registry, an image would come from a stranger on Docker Hub.
                self.assertIn(registry.partition("/")[0], ("localhost", "registry.example.org"))
                self.assertEqual(tag, VERSION)
                stage = re.search(rf"(?ms)^FROM \S+ AS {name}$(.*?)(?:^FROM|\Z)", DOCKERFILE)[1]
                self.assertRegex(stage, rf"/out/{workload.program}\b")
                self.assertIn("/out/apollo", stage)

    def test_every_container_has_requests_and_a_limit_of_memory(self):
        for _, workload in self.each():
            for container in workload.containers:
                self.assertLessEqual({"cpu", "memory"}, set(container["resources"]["requests"]))
                self.assertIn("memory", container["resources"]["limits"])

    def test_the_model_is_checked_before_each_start(self):
        for _, workload in self.each():
            (check,) = workload.pod["initContainers"]
            self.assertEqual(check["command"][:3], ["sh", "/etc/apollo/check/check_model.sh",
                                                    workload.flags()["model"]])
            self.assertIn("check_model.sh", workload.files("/etc/apollo/check", check))
            self.assertEqual("--without-weights" in check["command"], workload.role == "router")
            for container in workload.containers:
                (model,) = [mount for mount in container["volumeMounts"] if mount["mountPath"] == "/model"]
                self.assertIs(model["readOnly"], True)


class LoadModelTest(EveryOverlay):
    """The pod that fills the volume of the model is one of the others, but for what it needs."""

    def setUp(self):
        (self.item,) = example("load_model.yaml")
        self.pod = self.item["spec"]
        (self.container,) = self.pod["containers"]

    def test_it_is_confined_as_the_others(self):
        for _, workload in self.each():
            self.assertEqual(self.pod["securityContext"], workload.pod["securityContext"])
            self.assertEqual(self.container["securityContext"], workload.server["securityContext"])
            self.assertIs(self.pod["automountServiceAccountToken"], False)

    def test_it_writes_to_the_volume_that_the_others_read(self):
        (volume,) = self.pod["volumes"]
        (mount,) = self.container["volumeMounts"]
        self.assertEqual(mount, {"name": volume["name"], "mountPath": "/model"})
        for manifests, workload in self.each():
            model = workload.volume("model")
            if "image" not in model:
                self.assertEqual(model["persistentVolumeClaim"],
                                 {**volume["persistentVolumeClaim"], "readOnly": True})
                claim = manifests.get("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"])
                self.assertEqual(claim["metadata"]["namespace"], self.item["metadata"]["namespace"])

    def test_its_image_is_one_of_the_dockerfile_and_no_policy_lets_others_in(self):
        registry, _, name = self.container["image"].rpartition("/")
        self.assertTrue(registry.startswith("localhost/"))  # Not from strangers.
        self.assertRegex(DOCKERFILE, rf"(?m)^FROM \S+ AS {name}$")
        labels = self.item["metadata"].get("labels", {})
        for manifests in self.overlays.values():
            for policy in manifests.of("NetworkPolicy"):
                selector = policy["spec"]["podSelector"].get("matchLabels", {})
                if policy["spec"].get("ingress"):
                    self.assertFalse(selector.items() <= labels.items(), policy["metadata"]["name"])


class TokensTest(EveryOverlay):
    def test_routers_and_only_they_take_tokens(self):
        for workload in self.overlays["tokens"].workloads():
            flags = workload.flags()
            router = workload.role == "router"
            self.assertEqual((flags.get("jwt_keys"), flags.get("tls_client_auth")),
                             ("/etc/apollo/keys/keys.json", "request") if router else (None, None))
            if router:
                self.assertIn("keys.json", workload.files("/etc/apollo/keys"))
                # Without a policy, --tls_client_auth=request would let everybody in.
                self.assertIn("callers", workload.files("/etc/apollo/access")["policy.json"])

    def test_other_overlays_want_certificates(self):
        for name, manifests in self.overlays.items():
            for workload in manifests.workloads():
                self.assertEqual("tls_client_auth" in workload.flags(), name == "tokens" and workload.role == "router")


class StoppingTest(EveryOverlay):
    def test_draining_fits_into_the_grace_period(self):
        for _, workload in self.each():
            sleep = workload.server.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
            drain = seconds(workload.flags()["drain_timeout"])
            self.assertLessEqual(sleep + drain + LAST_CALLS, workload.pod["terminationGracePeriodSeconds"])

    def test_evictions_and_updates_leave_pods(self):
        for manifests, workload in self.each():
            budgets = [item["spec"] for item in manifests.of("PodDisruptionBudget")
                       if item["spec"]["selector"]["matchLabels"].items() <= workload.labels.items()]
            self.assertEqual(len(budgets), 1)
            self.assertEqual(budgets[0]["maxUnavailable"], 1)
            self.assertGreaterEqual(workload.replicas(), 2)
            spec = workload.item["spec"]
            self.assertGreaterEqual(spec["minReadySeconds"], 2)  # Until the others have found the pod.
            if workload.kind == "Deployment":
                self.assertEqual(spec["strategy"]["rollingUpdate"], {"maxUnavailable": 0, "maxSurge": 1})
            else:
                # Workers are ready only when they have found each other, so the first must not wait for itself.
                self.assertEqual(spec["podManagementPolicy"], "Parallel")

    def test_upgrades_can_go_role_by_role(self):
        # The commands of docs/kubernetes.md select objects by this label: first all without it, then each role.
        for manifests in self.overlays.values():
            labelled = [item for item in manifests.items
                        if "app.kubernetes.io/component" in item["metadata"].get("labels", {})]
            self.assertEqual([item["metadata"]["name"] for item in labelled],
                             [workload.name for workload in manifests.workloads()])
            for item in labelled:
                pods = item["spec"]["template"]["metadata"]["labels"]
                self.assertEqual(item["metadata"]["labels"]["app.kubernetes.io/component"],
                                 pods["app.kubernetes.io/component"])

    def test_pods_are_spread_over_nodes_and_zones(self):
        for _, workload in self.each():
            constraints = workload.pod["topologySpreadConstraints"]
            self.assertEqual([item["topologyKey"] for item in constraints],
                             ["kubernetes.io/hostname", "topology.kubernetes.io/zone"])
            for item in constraints:
                self.assertLessEqual(item["labelSelector"]["matchLabels"].items(), workload.labels.items())


class NvidiaTest(EveryOverlay):
    def workloads(self):
        return [workload for name in ("nvidia", "production-nvidia")
                for workload in self.overlays[name].workloads()]

    def test_each_worker_has_one_gpu_and_computes_on_it(self):
        for workload in self.workloads():
            limits = workload.server["resources"]["limits"]
            self.assertEqual(limits.get("nvidia.com/gpu"), None if workload.role == "router" else "1")
            self.assertEqual(workload.flags().get("device"), None if workload.role == "router" else "cuda:0")
            self.assertEqual("cuda-worker" in workload.server["image"], workload.role != "router")

    def test_workers_are_on_gpus_that_have_kernels(self):
        for workload in self.workloads():
            if workload.role == "router":
                continue
            terms = workload.pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
            self.assertIn({"key": "nvidia.com/gpu.compute.major", "operator": "Gt", "values": ["7"]},
                          terms["nodeSelectorTerms"][0]["matchExpressions"])


class ProductionTest(EveryOverlay):
    def workloads(self):
        manifests = self.overlays["production"]
        return manifests, manifests.workloads()

    def test_pods_have_priorities(self):
        manifests, workloads = self.workloads()
        values = {workload.role: manifests.get("PriorityClass", workload.pod["priorityClassName"])["value"]
                  for workload in workloads}
        self.assertGreater(values["router"], values["dense-worker"])

    def test_pods_of_one_role_are_never_on_one_node(self):
        _, workloads = self.workloads()
        for workload in workloads:
            self.assertEqual(workload.pod["topologySpreadConstraints"][0]["whenUnsatisfiable"], "DoNotSchedule")

    def test_what_is_scaled_has_no_fixed_number_of_pods(self):
        manifests, workloads = self.workloads()
        scaled = manifests.of("HorizontalPodAutoscaler")
        self.assertEqual({item["spec"]["scaleTargetRef"]["name"] for item in scaled}, {"router", "dense"})
        for workload in workloads:
            self.assertEqual("replicas" not in workload.item["spec"], workload.name in ("router", "dense"))

    def test_the_admin_port_is_only_for_the_pod(self):
        _, workloads = self.workloads()
        for workload in workloads:
            self.assertEqual(workload.flags()["admin_listen"], "127.0.0.1:7901")

    def test_each_router_has_an_audit_log_of_its_own_and_a_policy(self):
        _, workloads = self.workloads()
        for workload in workloads:
            self.assertEqual("$(POD_NAME)" in workload.flags().get("audit_log", ""), workload.role == "router")
            self.assertEqual("policy" in workload.flags(), workload.role == "router")

    def test_prometheus_finds_every_pod(self):
        manifests, workloads = self.workloads()
        (monitor,) = manifests.of("PodMonitor")
        (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
        for workload in workloads:
            self.assertLessEqual(monitor["spec"]["selector"]["matchLabels"].items(), workload.labels.items())
            self.assertIn(endpoint["port"], [port["name"] for port in workload.server["ports"]])


if __name__ == "__main__":
    del sys.argv[1:8]
    del EveryOverlay  # It has no cases itself.
    unittest.main()
