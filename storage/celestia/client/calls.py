"""Every call of a node that the project makes, by one name each."""

from storage.celestia.client.blob_calls import (
    blob_get,
    blob_get_all,
    blob_get_commitment_proof,
    blob_get_proof,
    blob_included,
    blob_submit,
)
from storage.celestia.client.header_calls import (
    header_get_by_hash,
    header_get_by_height,
    header_get_range_by_height,
    header_local_head,
    header_network_head,
    header_sync_state,
    header_sync_wait,
    header_tail,
    header_wait_for_height,
)
from storage.celestia.client.node_calls import (
    node_auth_new,
    node_auth_new_with_expiry,
    node_auth_verify,
    node_info,
    node_log_level_set,
    node_ready,
)
from storage.celestia.client.share_calls import (
    share_available,
    share_get_eds,
    share_get_namespace_data,
    share_get_range,
    share_get_row,
    share_get_samples,
    share_get_share,
)
from storage.celestia.client.state_calls import state_balance, state_submit_pay_for_blob

__all__ = [
    "blob_get",
    "blob_get_all",
    "blob_get_commitment_proof",
    "blob_get_proof",
    "blob_included",
    "blob_submit",
    "header_get_by_hash",
    "header_get_by_height",
    "header_get_range_by_height",
    "header_local_head",
    "header_network_head",
    "header_sync_state",
    "header_sync_wait",
    "header_tail",
    "header_wait_for_height",
    "node_auth_new",
    "node_auth_new_with_expiry",
    "node_auth_verify",
    "node_info",
    "node_log_level_set",
    "node_ready",
    "share_available",
    "share_get_eds",
    "share_get_namespace_data",
    "share_get_range",
    "share_get_row",
    "share_get_samples",
    "share_get_share",
    "state_balance",
    "state_submit_pay_for_blob",
]
