//! The websocket door as its clients meet it: the real app, sockets over loopback, and scripted clients that are polite,
//! rude, slow or gone. `node.rs` runs the binary itself, to kill it.
//! Next: `signaling/house.rs` and `signaling/client.rs`, then a file per subject.

#[path = "signaling/client.rs"]
mod client;
#[path = "support/hosted.rs"]
mod hosted;
#[path = "signaling/house.rs"]
mod house;
#[path = "support/http.rs"]
#[allow(dead_code, reason = "the REST tests use the rest of it")]
mod http;
#[path = "nodes/line.rs"]
mod line;
#[path = "signaling/node.rs"]
mod node;
#[path = "support/ports.rs"]
mod ports;
#[path = "../../store/tests/store/postgres.rs"]
mod postgres;
#[path = "support/receiver.rs"]
mod receiver;
#[path = "signaling/sdp.rs"]
mod sdp;
#[path = "support/watcher.rs"]
#[allow(dead_code, reason = "the REST tests use the rest of it")]
mod watcher;

#[path = "signaling/admission.rs"]
mod admission;
#[path = "signaling/audit.rs"]
mod audit;
#[path = "signaling/changed_permissions.rs"]
mod changed_permissions;
#[path = "signaling/chat.rs"]
mod chat;
#[path = "signaling/connected.rs"]
mod connected;
#[path = "signaling/crashes.rs"]
mod crashes;
#[path = "signaling/crowds.rs"]
mod crowds;
#[path = "signaling/durability.rs"]
mod durability;
#[path = "signaling/each_permission.rs"]
mod each_permission;
#[path = "signaling/envelope.rs"]
mod envelope;
#[path = "signaling/erased.rs"]
mod erased;
#[path = "signaling/joining.rs"]
mod joining;
#[path = "signaling/leftovers.rs"]
mod leftovers;
#[path = "signaling/logs.rs"]
mod logs;
#[path = "signaling/media.rs"]
mod media;
#[path = "signaling/moving.rs"]
mod moving;
#[path = "signaling/nodes.rs"]
mod nodes;
#[path = "signaling/past.rs"]
mod past;
#[path = "signaling/permissions.rs"]
mod permissions;
#[path = "signaling/pins.rs"]
mod pins;
#[path = "signaling/polls.rs"]
mod polls;
#[path = "signaling/promptness.rs"]
mod promptness;
#[path = "signaling/rates.rs"]
mod rates;
#[path = "signaling/recordings.rs"]
mod recordings;
#[path = "signaling/removal.rs"]
mod removal;
#[path = "signaling/selection.rs"]
mod selection;
#[path = "signaling/spread.rs"]
mod spread;
#[path = "signaling/stage.rs"]
mod stage;
#[path = "signaling/stores.rs"]
mod stores;
#[path = "signaling/upgrades.rs"]
mod upgrades;
#[path = "signaling/voices.rs"]
mod voices;
#[path = "signaling/waiting.rs"]
mod waiting;
#[path = "signaling/watching.rs"]
mod watching;
#[path = "signaling/webhooks.rs"]
mod webhooks;
