"""Python's xmlrpc.client as it is, against a running host: arguments URL and template; the password on stdin. Says `ok` at the end."""

import datetime
import sys
import threading
import time
import xmlrpc.client

NULL = "OpaqueRef:NULL"
MIB = 1024 * 1024


class Refused(Exception):
    pass


def main(url, template, password):
    server = xmlrpc.client.ServerProxy(url, allow_none=True)  # calls go to /RPC2

    def call(method, *params):
        answer = getattr(server, method)(*params)
        if answer["Status"] == "Success":
            assert set(answer) == {"Status", "Value"}, answer
            return answer["Value"]
        assert answer["Status"] == "Failure" and set(answer) == {"Status", "ErrorDescription"}, answer
        assert all(isinstance(part, str) for part in answer["ErrorDescription"]), answer
        raise Refused(*answer["ErrorDescription"])

    def refused(method, *params):
        try:
            value = call(method, *params)
        except Refused as refusal:
            return list(refusal.args)
        raise AssertionError("%s answered %r" % (method, value))

    session = logins(call, refused, password)
    types(call, refused, session)
    vm = lifecycle(call, refused, session, template)
    tasks(call, refused, session, vm)
    # A connection of its own: ServerProxy keeps one, and a waiting call occupies it.
    watcher = xmlrpc.client.ServerProxy(url, allow_none=True)
    events(call, watcher, session, vm)
    call("VM.destroy", session, vm)
    assert refused("VM.get_record", session, vm) == ["HANDLE_INVALID", "VM", vm]
    faults(server)
    call("session.logout", session)
    assert refused("VM.get_all", session)[0] == "SESSION_INVALID"


def logins(call, refused, password):
    assert refused("session.login_with_password", "root", "wrong" + password, "2.0", "plain.py")[0] == (
        "SESSION_AUTHENTICATION_FAILED"
    )
    session = call("session.login_with_password", "root", password, "2.0", "plain.py")
    assert session.startswith("OpaqueRef:")
    record = call("session.get_record", session, session)
    assert record["originator"] == "plain.py", record
    started = record["last_active"]
    assert isinstance(started, xmlrpc.client.DateTime)
    parsed = datetime.datetime.strptime(started.value, "%Y%m%dT%H:%M:%SZ")
    assert abs((datetime.datetime.utcnow() - parsed).total_seconds()) < 120, started
    other = call("session.login_with_password", "root", password)
    assert call("session.get_uuid", other, other) != record["uuid"]
    call("session.logout", other)
    return session


def types(call, refused, session):
    """Ints may be sent in three forms, and come back as strings; a sent datetime is understood."""
    (network,) = call("network.get_by_name_label", session, "Guest network")
    before = call("network.get_MTU", session, network)
    assert isinstance(before, str) and before.isdigit(), before
    fields = {"name_label": "types", "name_description": "<&> \u00e4\u20ac\U0001f40d", "other_config": {}, "bridge": ""}
    for mtu in (1400, "1400"):
        made = call("network.create", session, dict(fields, MTU=mtu))
        record = call("network.get_record", session, made)
        assert record["MTU"] == "1400", record
        assert record["name_description"] == fields["name_description"], record
        assert isinstance(record["managed"], bool)
        assert record["VIFs"] == [] and isinstance(record["other_config"], dict)
        call("network.destroy", session, made)
    assert refused("network.create", session, dict(fields, MTU="many"))[0] == "FIELD_TYPE_ERROR"
    (host,) = call("host.get_all", session)
    (template,) = call("VM.get_by_name_label", session, "Other install media")
    assert int(call("VM.get_memory_static_max", session, template)) >= MIB
    now = call("host.get_servertime", session, host)
    assert isinstance(now, xmlrpc.client.DateTime), now
    since = xmlrpc.client.DateTime(now.value)
    assert isinstance(call("message.get_since", session, since), dict)
    # As Python writes it without a zone.
    assert isinstance(call("message.get_since", session, xmlrpc.client.DateTime(datetime.datetime(2000, 1, 1))), dict)


def lifecycle(call, refused, session, template):
    (source,) = call("VM.get_by_name_label", session, template)
    vm = call("VM.clone", session, source, "plain")
    call("VM.provision", session, vm)
    call("VM.set_VCPUs_max", session, vm, 2)
    call("VM.set_VCPUs_at_startup", session, vm, "2")
    call("VM.set_memory_limits", session, vm, str(128 * MIB), 256 * MIB, str(256 * MIB), 256 * MIB)
    assert call("VM.get_memory_dynamic_min", session, vm) == str(256 * MIB)
    call("VM.add_to_other_config", session, vm, "who", "python")
    assert refused("VM.add_to_other_config", session, vm, "who", "again")[0] == "MAP_DUPLICATE_KEY"
    assert refused("VM.pause", session, vm) == ["VM_BAD_POWER_STATE", vm, "running", "halted"]
    call("VM.start", session, vm, False, False)
    record = call("VM.get_record", session, vm)
    assert record["power_state"] == "Running" and int(record["domid"]) > 0, record
    metrics = call("VM_metrics.get_record", session, record["metrics"])
    assert isinstance(metrics["start_time"], xmlrpc.client.DateTime)
    assert refused("VM.start", session, vm, False, False) == ["VM_BAD_POWER_STATE", vm, "halted", "running"]
    for method, state in (("pause", "Paused"), ("unpause", "Running"), ("suspend", "Suspended")):
        call("VM." + method, session, vm)
        assert call("VM.get_power_state", session, vm) == state
    call("VM.resume", session, vm, False, False)
    call("VM.hard_shutdown", session, vm)
    assert call("VM.get_power_state", session, vm) == "Halted"
    return vm


def tasks(call, refused, session, vm):
    def ended(task):
        deadline = time.monotonic() + 60
        while call("task.get_status", session, task) == "pending":
            assert time.monotonic() < deadline, call("task.get_record", session, task)
            time.sleep(0.05)
        record = call("task.get_record", session, task)
        assert isinstance(record["created"], xmlrpc.client.DateTime)
        assert isinstance(record["finished"], xmlrpc.client.DateTime)
        call("task.destroy", session, task)
        return record

    good = ended(call("Async.VM.start", session, vm, False, False))
    assert good["status"] == "success" and good["progress"] == 1.0, good
    bad = ended(call("Async.VM.start", session, vm, False, False))
    assert bad["status"] == "failure", bad
    assert bad["error_info"] == ["VM_BAD_POWER_STATE", vm, "halted", "running"], bad
    ended(call("Async.VM.hard_shutdown", session, vm))
    copied = ended(call("Async.VM.clone", session, vm, "plain cloned"))
    # A result is a value of XML-RPC as text.
    found = copied["result"].replace("<value>", "").replace("</value>", "")
    assert call("VM.get_name_label", session, found) == "plain cloned", copied
    call("VM.destroy", session, found)


def events(call, watcher, session, vm):
    first = call("event.from", session, ["VM", "vm_metrics/%s" % NULL], "", 30.0)
    assert isinstance(first["token"], str) and int(first["valid_ref_counts"]["vm"]) > 0, first["valid_ref_counts"]
    mine = [e for e in first["events"] if e["ref"] == vm]
    assert mine and mine[0]["class"] == "vm" and mine[0]["operation"] == "add", mine
    assert mine[0]["snapshot"]["name_label"] == "plain"
    seen, trouble = [], []

    def watch():
        token = first["token"]
        try:
            while not (seen and seen[-1] == "Halted" and "Running" in seen):
                # A timeout may be an int too.
                answer = getattr(watcher, "event.from")(session, ["VM"], token, 30)
                assert answer["Status"] == "Success", answer
                token = answer["Value"]["token"]
                seen.extend(e["snapshot"]["power_state"] for e in answer["Value"]["events"] if e["ref"] == vm)
        except Exception as error:  # told by the main thread
            trouble.append(error)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    call("VM.start", session, vm, False, False)
    # Changes may be joined, so the guest stays until its running was seen.
    deadline = time.monotonic() + 60
    while "Running" not in seen and not trouble and time.monotonic() < deadline:
        time.sleep(0.02)
    call("VM.hard_shutdown", session, vm)
    thread.join(60)
    assert not trouble and not thread.is_alive(), (seen, trouble)


def faults(server):
    """What is no call of XenAPI's form is a failure too, or a fault."""
    for method, code in (("VM.explode", "MESSAGE_METHOD_UNKNOWN"), ("VM.start", "MESSAGE_PARAMETER_COUNT_MISMATCH")):
        answer = getattr(server, method)("OpaqueRef:none")
        assert answer["ErrorDescription"][0] == code, answer
    assert "VM.start" in server.system.listMethods()


main(sys.argv[1], sys.argv[2], sys.stdin.readline().strip())
print("ok")
