"""People who ask and decide at the city: sessions, requests, approvals with stock curl and openssl, packs put in force."""
import datetime
import hashlib
import json

from tests.support.demo import DemoCase, wait_until


class PeopleCase(DemoCase):
    node = "CITY"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.tokens = {}
        cls.unit = cls.demo.unit()

    def issue(self, name, unit=None, number=None):
        return self.demo.issue(name, unit or self.unit, number)

    def form(self, name, roles=(), number=None, unit=None, **more):
        person = number is not None
        roles = roles or (["viewer"] if person else ["submitter"])
        form = {"kind": "person" if person else "machine", "unit": unit or self.unit, "unit_name": "测试单位", "name": name,
                "roles": list(roles), "certificates": [self.issue(name, unit, number)]}
        if person:
            form |= {"post": "科员", "phone": "0000-0000000",
                     "valid_until": (datetime.date.today() + datetime.timedelta(days=300)).isoformat()}
        return form | more

    def ask(self, who, path, *options):
        """As this person, logging in once."""
        if who not in self.tokens:
            self.tokens[who] = self.demo.session(who, self.node)
        answer = self.demo.as_person(who, path, *options, node=self.node, token=self.tokens[who])
        if answer.status == 401:
            self.tokens[who] = self.demo.session(who, self.node)
            answer = self.demo.as_person(who, path, *options, node=self.node, token=self.tokens[who])
        return answer

    def post(self, who, path, body):
        return self.ask(who, path, "--json", "@" + str(self.demo.path(json.dumps(body).encode(), ".json")))

    def request(self, form, who="SECURITY_ADMIN", reason="登记新账户", **more):
        return self.post(who, "/v1/requests", {"act": "account", "reason": reason, "form": form, **more})

    def opened(self, form, **more):
        answer = self.request(form, **more)
        self.assertEqual(answer.status, 201, answer)
        return answer.json

    def sign_approval(self, id, signer, reader=None):
        """What an approver does with curl and openssl."""
        statement = self.ask(reader or signer, f"/v1/requests/{id}/approval")
        self.assertEqual(statement.status, 200, statement)
        return self.demo.sign(statement.body, signer)

    def approve(self, id, who="SYSTEM_ADMIN", signed=None):
        signed = signed or self.sign_approval(id, who)
        return self.ask(who, f"/v1/requests/{id}/decision", "-H", "Content-Type: application/cms", "--data-binary", f"@{signed}")

    def enrolled(self, name, **more):
        request = self.opened(self.form(name, **more))
        answer = self.approve(request["id"])
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(answer.json["state"], "executed")
        return answer.json["object"]

    def restart_vault(self):
        self.demo.kill("vault")
        self.await_vault()

    def await_vault(self):
        """A handshake that the vault was to sign fails with it."""
        wait_until(lambda: self.demo.curl("/v1/status").status == 200, what="the vault's return")

    def leaves_of(self, action, **wanted):
        return [leaf for leaf in self.demo.leaves(self.node) if leaf["action"] == action and
                all(leaf.get(key) == value for key, value in wanted.items())]

    def pack(self, kind, catalog=""):
        """A pack in force, as text."""
        listed = self.ask("AUDITOR", "/v1/policies").json
        digest = next(one["digest"] for one in listed["packs"] if (one["kind"], one["catalog"]) == (kind, catalog))
        text = self.ask("AUDITOR", f"/v1/policies/{digest}")
        self.assertEqual(hashlib.sha256(text.body).hexdigest(), digest)
        return text.text

    def propose(self, *packs, who="SECURITY_ADMIN", remove=()):
        policy = {"packs": [{"kind": kind, "text": text} for kind, text in packs], "remove": list(remove)}
        return self.post(who, "/v1/requests", {"act": "policy", "reason": "new rules", "policy": policy})

    def activate(self, *packs, remove=()):
        """Packs, in force by the way that the node knows."""
        asked = self.propose(*packs, remove=remove)
        self.assertEqual(asked.status, 201, asked)
        done = self.approve(asked.json["id"])
        self.assertEqual(done.status, 200, done)

    def replace_pack(self, catalog, change):
        """All packs of a catalog, changed as text, one after the other: together they are more than a request takes."""
        for one in self.ask("AUDITOR", "/v1/policies").json["packs"]:
            if one["catalog"] == catalog:
                old = self.ask("AUDITOR", f"/v1/policies/{one['digest']}").text
                self.assertTrue(change(old) != old, "nothing would change")
                self.activate(("catalog", change(old)), remove=[one["digest"]])
