//! The audit log over REST: who did what in an account. Salon's own, beside the contract.
//! Next: `audited.rs`, what gets there; `docs/data.md`, what is never in it.

use axum::extract::State;
use salon_core::AppId;
use salon_store::acting::{By, Outcome};
use salon_store::{AuditEntry, AuditFilter, Store};
use salon_wire::rest::audit_log as wire;
use salon_wire::rest::envelope::{ErrorBody, Page};

use crate::rest::auth::Owner;
use crate::rest::error::ApiError;
use crate::rest::query::{Asked, paging};
use crate::rest::reply::{Listed, page};
use crate::rfc3339::rfc3339;

/// What was done in the account, newest first; a key for one app sees what was done in that app.
#[utoipa::path(get, path = "/audit-log", tag = "audit-log", params(wire::AuditLogQuery),
    responses((status = 200, body = Page<Vec<wire::AuditEntry>>), (status = 400, body = ErrorBody)))]
pub async fn list(State(store): State<Store>, owner: Owner, asked: Asked) -> Listed<Vec<wire::AuditEntry>> {
    let text = |name: &str| Ok::<_, ApiError>(asked.given(name)?.map(str::to_owned));
    let id = |name: &str| match asked.given(name)? {
        // Every id has this form.
        Some(id) => AppId::parse(id).map(Some).map_err(|_| ApiError::invalid(name, "must be an id")),
        None => Ok(None),
    };
    let outcome = asked.one_of::<wire::AuditOutcome>("outcome")?.map(|outcome| match outcome {
        wire::AuditOutcome::Done => Outcome::Done,
        wire::AuditOutcome::Refused => Outcome::Refused,
    });
    let mut app = id("app_id")?;
    if let Some(only) = &owner.key.reach.app {
        if app.as_ref().is_some_and(|app| app != only) {
            owner.of_all()?;
        }
        app = Some(only.clone());
    }
    let filter = AuditFilter {
        page: asked.page()?,
        app,
        by: id("actor_id")?.map(|id| id.to_string()),
        what: text("action")?,
        subject: id("subject_id")?.map(|id| id.to_string()),
        outcome,
        from: asked.instant("start_time")?,
        to: asked.instant("end_time")?,
    };
    let found = store.audit_log(&owner.account, &filter).await?;
    let items: Vec<_> = found.items.into_iter().map(to_wire).collect();
    let paging = paging(&filter.page, items.len(), found.total);
    page(items, paging)
}

fn to_wire(AuditEntry { number, act, hash }: AuditEntry) -> wire::AuditEntry {
    let (kind, id) = match act.by {
        By::Key(id) => (wire::AuditActorType::ApiKey, Some(id.to_string())),
        By::Participant(id) => (wire::AuditActorType::Participant, Some(id.to_string())),
        By::Operator => (wire::AuditActorType::Operator, None),
        By::Salon => (wire::AuditActorType::Salon, None),
    };
    let subject = |(kind, id)| wire::AuditSubject { kind, id };
    wire::AuditEntry {
        number,
        at: rfc3339(act.at),
        actor: wire::AuditActor { kind, id },
        action: act.what,
        subjects: act.subjects.into_iter().map(subject).collect(),
        app_id: act.app.map(|app| app.to_string()),
        from: act.from,
        outcome: match act.outcome {
            Outcome::Done => wire::AuditOutcome::Done,
            Outcome::Refused => wire::AuditOutcome::Refused,
        },
        hash: hex::encode(hash),
    }
}
