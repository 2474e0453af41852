//! One event that one webhook is told of, as a row.
//! Invariant: its id is the same over all its tries.

use salon_core::{DeliveryId, Notice, SessionId, Timestamp, WebhookId};

use crate::engine::Row;
use crate::error::{Error, Result};
use crate::notice;

/// What a webhook was told or is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The same over all tries.
    pub id: DeliveryId,
    pub webhook: WebhookId,
    /// Its place among those of the same subject.
    pub position: u64,
    pub session: SessionId,
    /// The name of the event.
    pub event: String,
    pub notice: Notice,
    pub state: DeliveryState,
    pub tries: u32,
    /// When it was tried last, what status came back if one did, and what that or the failure said.
    pub tried_at: Option<Timestamp>,
    pub status: Option<u16>,
    pub answer: Option<String>,
    pub created_at: Timestamp,
    /// When those before it and it may be tried next. `None` once it is done.
    pub next_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    Open,
    Delivered,
    Failed,
}

impl DeliveryState {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }

    fn read(name: &str) -> Option<Self> {
        [Self::Open, Self::Delivered, Self::Failed].into_iter().find(|state| state.name() == name)
    }
}

pub(crate) const DELIVERY: &str = "d.id, d.webhook_id, d.position, d.session_id, d.event, d.notice, d.state, d.tries, d.tried_ms, d.status, \
     d.answer, d.created_ms";

pub(crate) fn read_delivery(row: &Row, next_at: Option<Timestamp>) -> Result<Delivery> {
    let event = row.text("event")?;
    let state = DeliveryState::read(&row.text("state")?).ok_or(Error::column("state"))?;
    let status = row.int_or_null("status")?.map(|status| u16::try_from(status).map_err(|_| Error::column("status")));
    let created_at = row.time("created_ms")?;
    Ok(Delivery {
        id: row.id("id")?,
        webhook: row.id("webhook_id")?,
        position: row.count("position")?,
        session: row.id("session_id")?,
        notice: notice::decode(&event, &row.text("notice")?).ok_or(Error::column("notice"))?,
        event,
        state,
        tries: row.count("tries")?,
        tried_at: row.time_or_null("tried_ms")?,
        status: status.transpose()?,
        answer: row.text_or_null("answer")?,
        created_at,
        next_at: next_at.filter(|_| state == DeliveryState::Open).map(|at| at.max(created_at)),
    })
}
