/** What well-known clients call is there: neither missing from the model nor listed as unimplemented. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { unimplemented } from '../../src/api/unimplemented.ts';
import { classes } from '../../src/datamodel/index.ts';
import { allMessages } from '../../src/datamodel/messages.ts';

const xenApi = `session.login_with_password session.logout pool.get_all_records host.get_all_records event.inject event.from
  pool.set_other_config pool.add_to_other_config pool.remove_from_other_config task.create task.destroy task.cancel task.get_record`;
const ansible = `VM.add_to_xenstore_data VM.remove_from_xenstore_data VM.get_power_state VM.set_VCPUs_max VM.set_VCPUs_at_startup
  VM.set_memory_limits VM.set_name_label VM.set_name_description VM.set_affinity VM.set_is_a_template VM.provision VM.clone VM.copy
  VM.start VM.unpause VM.resume VM.suspend VM.clean_shutdown VM.hard_shutdown VM.clean_reboot VM.hard_reboot VM.destroy
  VM.get_allowed_VBD_devices VM.get_allowed_VIF_devices VM.add_to_platform VM.remove_from_platform VM.add_to_other_config
  VM.remove_from_other_config VM.get_by_uuid VM.get_by_name_label VM.get_record VM_guest_metrics.get_record VM_metrics.get_record
  VIF.configure_ipv4 VIF.configure_ipv6 VIF.create VIF.plug VIF.unplug VIF.destroy VIF.get_record VDI.create VDI.resize VDI.destroy
  VDI.set_name_label VDI.set_name_description VBD.create VBD.plug VBD.insert VBD.eject VBD.get_empty VBD.get_record SR.get_record
  SR.get_by_name_label network.get_record network.get_by_name_label host.get_record host.get_by_name_label pool.get_default_SR
  session.get_this_host host.get_software_version task.get_status task.destroy task.get_error_info task.get_result`;
const operations = `VM.create VM.pause VM.shutdown VM.set_VCPUs_number_live VM.set_memory_target_live VM.set_memory_dynamic_range
  VM.power_state_reset VBD.unplug VBD.unplug_force VBD.destroy VIF.unplug_force VDI.snapshot VDI.clone VDI.copy SR.scan SR.create
  SR.destroy SR.forget SR.introduce SR.probe PBD.plug PBD.unplug PBD.create PBD.destroy network.create network.destroy host.enable
  host.disable console.get_location event.next event.register event.unregister event.get_current_id message.get_all_records`;

const list = (text: string) => text.split(/\s+/).filter((m) => m !== '');
for (const [client, calls] of Object.entries({
  'npm xen-api': xenApi,
  'Ansible’s modules': ansible,
  'this host’s own operations': operations,
})) {
  test(`${client}: every call is answered`, () => {
    const absent = list(calls).filter((method) => {
      const [cls = '', name = ''] = method.split('.');
      const declared = classes[cls] && allMessages(classes[cls]).has(name);
      return !declared || (unimplemented as readonly string[]).includes(method);
    });
    assert.deepEqual(absent, []);
  });
}
