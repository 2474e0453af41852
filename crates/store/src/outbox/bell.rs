//! Whom there may be news for: rung by whoever writes, heard by whoever delivers.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use salon_core::WebhookId;
use tokio::sync::Notify;

/// Whom there may be news for, for whoever delivers.
#[derive(Default)]
pub(crate) struct Bell {
    woken: Mutex<BTreeSet<WebhookId>>,
    rings: Notify,
}

impl Bell {
    pub fn wake(&self, webhooks: impl IntoIterator<Item = WebhookId>) {
        // No bigger than there are webhooks, even if nobody listens.
        self.woken.lock().unwrap_or_else(PoisonError::into_inner).extend(webhooks);
        self.rings.notify_one();
    }

    /// Waits until there is somebody.
    pub async fn woken(&self) -> BTreeSet<WebhookId> {
        loop {
            let woken = std::mem::take(&mut *self.woken.lock().unwrap_or_else(PoisonError::into_inner));
            if !woken.is_empty() {
                return woken;
            }
            self.rings.notified().await;
        }
    }
}
