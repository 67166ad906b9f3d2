/** The enumerations of the API, values as on the wire. */
import { t } from './dsl.ts';

export const after_apply_guidance = t.enum('after_apply_guidance', [
  'restartHVM',
  'restartPV',
  'restartHost',
  'restartXAPI',
]);
export const allocation_algorithm = t.enum('allocation_algorithm', ['breadth_first', 'depth_first']);
export const bond_mode = t.enum('bond_mode', ['balance-slb', 'active-backup', 'lacp']);
export const certificate_purpose = t.enum('certificate_purpose', ['licensing', 'ldaps']);
export const certificate_type = t.enum('certificate_type', ['ca', 'host', 'host_internal', 'pinned']);
export const cls = t.enum('cls', ['VM', 'Host', 'SR', 'Pool', 'VMPP', 'VMSS', 'PVS_proxy', 'VDI', 'Certificate']);
export const cluster_host_operation = t.enum('cluster_host_operation', ['enable', 'disable', 'destroy']);
export const cluster_operation = t.enum('cluster_operation', ['add', 'remove', 'enable', 'disable', 'destroy']);
export const console_protocol = t.enum('console_protocol', ['vt100', 'rfb', 'rdp']);
export const domain_type = t.enum('domain_type', ['hvm', 'pv', 'pv_in_pvh', 'pvh', 'unspecified']);
export const event_operation = t.enum('event_operation', ['add', 'del', 'mod']);
export const hello_return = t.enum('hello_return', ['ok', 'unknown_host', 'cannot_talk_back']);
export const host_allowed_operations = t.enum('host_allowed_operations', [
  'provision',
  'evacuate',
  'shutdown',
  'reboot',
  'power_on',
  'vm_start',
  'vm_resume',
  'vm_migrate',
  'apply_updates',
  'enable',
]);
export const host_display = t.enum('host_display', ['enabled', 'disable_on_reboot', 'disabled', 'enable_on_reboot']);
export const host_ntp_mode = t.enum('host_ntp_mode', ['DHCP', 'Custom', 'Factory', 'Disabled']);
export const host_numa_affinity_policy = t.enum('host_numa_affinity_policy', ['any', 'best_effort', 'default_policy']);
export const host_sched_gran = t.enum('host_sched_gran', ['core', 'cpu', 'socket']);
export const image_format_type = t.enum('image_format_type', ['raw', 'vhd', 'qcow2']);
export const ip_configuration_mode = t.enum('ip_configuration_mode', ['None', 'DHCP', 'Static']);
export const ipv6_configuration_mode = t.enum('ipv6_configuration_mode', ['None', 'DHCP', 'Static', 'Autoconf']);
export const latest_synced_updates_applied_state = t.enum('latest_synced_updates_applied_state', [
  'yes',
  'no',
  'unknown',
]);
export const livepatch_status = t.enum('livepatch_status', ['ok_livepatch_complete', 'ok_livepatch_incomplete', 'ok']);
export const network_default_locking_mode = t.enum('network_default_locking_mode', ['unlocked', 'disabled']);
export const network_operations = t.enum('network_operations', ['attaching']);
export const network_purpose = t.enum('network_purpose', ['nbd', 'insecure_nbd']);
export const on_boot = t.enum('on_boot', ['reset', 'persist']);
export const on_crash_behaviour = t.enum('on_crash_behaviour', [
  'destroy',
  'coredump_and_destroy',
  'restart',
  'coredump_and_restart',
  'preserve',
  'rename_restart',
]);
export const on_normal_exit = t.enum('on_normal_exit', ['destroy', 'restart']);
export const on_softreboot_behavior = t.enum('on_softreboot_behavior', [
  'soft_reboot',
  'destroy',
  'restart',
  'preserve',
]);
export const origin = t.enum('origin', ['remote', 'bundle', 'remote_pool']);
export const pci_dom0_access = t.enum('pci_dom0_access', [
  'enabled',
  'disable_on_reboot',
  'disabled',
  'enable_on_reboot',
]);
export const persistence_backend = t.enum('persistence_backend', ['xapi']);
export const pif_igmp_status = t.enum('pif_igmp_status', ['enabled', 'disabled', 'unknown']);
export const placement_policy = t.enum('placement_policy', ['anti_affinity', 'normal']);
export const pool_allowed_operations = t.enum('pool_allowed_operations', [
  'ha_enable',
  'ha_disable',
  'cluster_create',
  'designate_new_master',
  'configure_repositories',
  'sync_updates',
  'sync_bundle',
  'get_updates',
  'apply_updates',
  'tls_verification_enable',
  'cert_refresh',
  'exchange_certificates_on_join',
  'exchange_ca_certificates_on_join',
  'copy_primary_host_certs',
  'eject',
  'exchange_crls_on_join',
]);
export const pool_guest_secureboot_readiness = t.enum('pool_guest_secureboot_readiness', [
  'ready',
  'ready_no_dbx',
  'not_ready',
]);
export const primary_address_type = t.enum('primary_address_type', ['IPv4', 'IPv6']);
export const pvs_proxy_status = t.enum('pvs_proxy_status', [
  'stopped',
  'initialised',
  'caching',
  'incompatible_write_cache_mode',
  'incompatible_protocol_version',
]);
export const sdn_controller_protocol = t.enum('sdn_controller_protocol', ['ssl', 'pssl']);
export const sr_health = t.enum('sr_health', ['healthy', 'recovering', 'unreachable', 'unavailable']);
export const sriov_configuration_mode = t.enum('sriov_configuration_mode', ['sysfs', 'modprobe', 'manual', 'unknown']);
export const storage_operations = t.enum('storage_operations', [
  'scan',
  'destroy',
  'forget',
  'plug',
  'unplug',
  'update',
  'vdi_create',
  'vdi_introduce',
  'vdi_destroy',
  'vdi_resize',
  'vdi_clone',
  'vdi_snapshot',
  'vdi_mirror',
  'vdi_enable_cbt',
  'vdi_disable_cbt',
  'vdi_data_destroy',
  'vdi_list_changed_blocks',
  'vdi_set_on_boot',
  'vdi_blocked',
  'vdi_copy',
  'vdi_force_unlock',
  'vdi_forget',
  'vdi_generate_config',
  'vdi_resize_online',
  'vdi_update',
  'vdi_revert',
  'pbd_create',
  'pbd_destroy',
]);
export const task_allowed_operations = t.enum('task_allowed_operations', ['cancel', 'destroy']);
export const task_status_type = t.enum('task_status_type', [
  'pending',
  'success',
  'failure',
  'cancelling',
  'cancelled',
]);
export const telemetry_frequency = t.enum('telemetry_frequency', ['daily', 'weekly', 'monthly']);
export const tristate_type = t.enum('tristate_type', ['yes', 'no', 'unspecified']);
export const tunnel_protocol = t.enum('tunnel_protocol', ['gre', 'vxlan']);
export const update_after_apply_guidance = t.enum('update_after_apply_guidance', [
  'restartHVM',
  'restartPV',
  'restartHost',
  'restartXAPI',
]);
export const update_guidances = t.enum('update_guidances', [
  'reboot_host',
  'reboot_host_on_livepatch_failure',
  'reboot_host_on_kernel_livepatch_failure',
  'reboot_host_on_xen_livepatch_failure',
  'restart_toolstack',
  'restart_device_model',
  'restart_vm',
]);
export const update_status = t.enum('update_status', ['yes', 'no', 'unspecified']);
export const update_sync_frequency = t.enum('update_sync_frequency', ['daily', 'weekly']);
export const vbd_mode = t.enum('vbd_mode', ['RO', 'RW']);
export const vbd_operations = t.enum('vbd_operations', [
  'attach',
  'eject',
  'insert',
  'plug',
  'unplug',
  'unplug_force',
  'pause',
  'unpause',
]);
export const vbd_type = t.enum('vbd_type', ['CD', 'Disk', 'Floppy']);
export const vdi_operations = t.enum('vdi_operations', [
  'clone',
  'copy',
  'resize',
  'resize_online',
  'snapshot',
  'mirror',
  'destroy',
  'forget',
  'update',
  'force_unlock',
  'generate_config',
  'enable_cbt',
  'disable_cbt',
  'data_destroy',
  'list_changed_blocks',
  'set_on_boot',
  'blocked',
  'revert_to',
  'revert_from',
]);
export const vdi_type = t.enum('vdi_type', [
  'system',
  'user',
  'ephemeral',
  'suspend',
  'crashdump',
  'ha_statefile',
  'metadata',
  'redo_log',
  'rrd',
  'pvs_cache',
  'cbt_metadata',
]);
export const vgpu_type_implementation = t.enum('vgpu_type_implementation', [
  'passthrough',
  'nvidia',
  'nvidia_sriov',
  'gvt_g',
  'mxgpu',
]);
export const vif_ipv4_configuration_mode = t.enum('vif_ipv4_configuration_mode', ['None', 'Static', 'DHCP']);
export const vif_ipv6_configuration_mode = t.enum('vif_ipv6_configuration_mode', ['None', 'Static', 'Autoconf']);
export const vif_locking_mode = t.enum('vif_locking_mode', ['network_default', 'locked', 'unlocked', 'disabled']);
export const vif_operations = t.enum('vif_operations', ['attach', 'plug', 'unplug']);
export const vm_appliance_operation = t.enum('vm_appliance_operation', [
  'start',
  'clean_shutdown',
  'hard_shutdown',
  'shutdown',
]);
export const vm_operations = t.enum('vm_operations', [
  'snapshot',
  'clone',
  'copy',
  'create_template',
  'revert',
  'checkpoint',
  'snapshot_with_quiesce',
  'provision',
  'start',
  'start_on',
  'pause',
  'unpause',
  'clean_shutdown',
  'clean_reboot',
  'hard_shutdown',
  'power_state_reset',
  'hard_reboot',
  'suspend',
  'csvm',
  'resume',
  'resume_on',
  'pool_migrate',
  'migrate_send',
  'get_boot_record',
  'send_sysrq',
  'send_trigger',
  'query_services',
  'shutdown',
  'call_plugin',
  'changing_memory_live',
  'awaiting_memory_live',
  'changing_dynamic_range',
  'changing_static_range',
  'changing_memory_limits',
  'changing_shadow_memory',
  'changing_shadow_memory_live',
  'changing_VCPUs',
  'changing_VCPUs_live',
  'changing_NVRAM',
  'assert_operation_valid',
  'data_source_op',
  'update_allowed_operations',
  'make_into_template',
  'import',
  'export',
  'metadata_export',
  'reverting',
  'destroy',
  'create_vtpm',
  'sysprep',
]);
export const vm_power_state = t.enum('vm_power_state', ['Halted', 'Paused', 'Running', 'Suspended']);
export const vm_secureboot_certificates_state = t.enum('vm_secureboot_certificates_state', [
  'ok',
  'update_available',
  'update_on_boot',
]);
export const vm_secureboot_readiness = t.enum('vm_secureboot_readiness', [
  'not_supported',
  'disabled',
  'first_boot',
  'ready',
  'ready_no_dbx',
  'setup_mode',
  'certs_incomplete',
]);
export const vm_uefi_mode = t.enum('vm_uefi_mode', ['setup', 'user']);
export const vmpp_archive_frequency = t.enum('vmpp_archive_frequency', [
  'never',
  'always_after_backup',
  'daily',
  'weekly',
]);
export const vmpp_archive_target_type = t.enum('vmpp_archive_target_type', ['none', 'cifs', 'nfs']);
export const vmpp_backup_frequency = t.enum('vmpp_backup_frequency', ['hourly', 'daily', 'weekly']);
export const vmpp_backup_type = t.enum('vmpp_backup_type', ['snapshot', 'checkpoint']);
export const vmss_frequency = t.enum('vmss_frequency', ['hourly', 'daily', 'weekly']);
export const vmss_type = t.enum('vmss_type', ['snapshot', 'checkpoint', 'snapshot_with_quiesce']);
export const vtpm_operations = t.enum('vtpm_operations', ['destroy']);
export const vusb_operations = t.enum('vusb_operations', ['attach', 'plug', 'unplug']);
