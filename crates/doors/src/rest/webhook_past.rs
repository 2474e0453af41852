//! What webhooks were told, telling it again, and asking instead of being told. Salon's own, beside the contract.
//! Invariant: what is told again has an id of its own, and nothing new waits for it.
//! Next: `docs/webhooks.md`.

use axum::extract::State;
use salon_core::event::{EndReason, RecordingKind};
use salon_core::notice::{LivestreamReport, LivestreamStatus, News, RecordingReport, RecordingStatus, Visit, Written};
use salon_core::{AppId, DeliveryId, MeetingId, Notice, PeerId, RecordingId, SessionId, Timestamp, WebhookId};
use salon_live::Clock;
use salon_store::{DAY_MS, Delivery, DeliveryFilter, DeliveryState, Replayed, Secret, Store, Webhook};
use salon_webhooks::fresh_secret;
use salon_wire::rest::envelope::{Envelope, ErrorBody, Page};
use salon_wire::rest::webhooks as wire;

use crate::recording_links::Links;
use crate::rest::auth::Caller;
use crate::rest::body::Body;
use crate::rest::error::ApiError;
use crate::rest::here::Here;
use crate::rest::path::{At, PathId};
use crate::rest::query::{Asked, paging};
use crate::rest::reply::{Answer, Listed, created, data, page};
use crate::rest::webhooks::{find, to_wire};
use crate::rfc3339::{parse_rfc3339, rfc3339};
use crate::tokens::Tokens;
use crate::webhook_payload::payload;

/// Events that one replay tells again at most.
const MAX_REPLAYED: usize = 10_000;

/// Events that one question for the feed is answered with, and at most.
const FEED_PAGE: u32 = 100;
const MAX_FEED_PAGE: u32 = 1_000;

/// How long a secret signs beside the one that took its place, in milliseconds.
const FORMER_FOR_MS: i64 = DAY_MS;

/// What a webhook was told and is to be told, newest first.
#[utoipa::path(get, path = "/webhooks/{webhook_id}/deliveries", tag = "webhooks",
    params(("webhook_id" = String, Path, format = "uuid"), wire::DeliveriesQuery),
    responses((status = 200, body = Page<Vec<wire::WebhookDelivery>>), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn list(
    State(store): State<Store>,
    State(tokens): State<Tokens>,
    caller: Caller,
    At(id): At<WebhookId>,
    Here(here): Here,
    asked: Asked,
) -> Listed<Vec<wire::WebhookDelivery>> {
    find(&store, &caller.app, &id).await?;
    let state = asked.one_of::<wire::DeliveryStatus>("status")?.map(|status| match status {
        wire::DeliveryStatus::Pending => DeliveryState::Open,
        wire::DeliveryStatus::Delivered => DeliveryState::Delivered,
        wire::DeliveryStatus::Failed => DeliveryState::Failed,
    });
    let session = asked
        .text("session_id")?
        .map(|text| SessionId::read(text).ok_or_else(|| ApiError::invalid("session_id", "must be a valid GUID")));
    let filter = DeliveryFilter {
        page: asked.page()?,
        state,
        event: asked.one_of::<wire::WebhookEvent>("event")?.map(|event| event.name().to_owned()),
        session: session.transpose()?,
    };
    let found = store.deliveries(&id, &filter).await?;
    let (app_name, links) = (name_of(&store, &caller.app).await?, Links { tokens, here: here.into() });
    let items: Vec<_> = found.items.into_iter().map(|delivery| delivery_to_wire(delivery, &app_name, &links)).collect();
    let paging = paging(&filter.page, items.len(), found.total);
    page(items, paging)
}

/// One of them.
#[utoipa::path(get, path = "/webhooks/{webhook_id}/deliveries/{delivery_id}", tag = "webhooks",
    params(("webhook_id" = String, Path, format = "uuid"), ("delivery_id" = String, Path, format = "uuid")),
    responses((status = 200, body = Envelope<wire::WebhookDelivery>), (status = 404, body = ErrorBody)))]
pub async fn show(
    State(store): State<Store>,
    State(tokens): State<Tokens>,
    caller: Caller,
    At(id): At<WebhookId>,
    At(delivery): At<DeliveryId>,
    Here(here): Here,
) -> Answer<wire::WebhookDelivery> {
    find(&store, &caller.app, &id).await?;
    let delivery = find_delivery(&store, &id, &delivery).await?;
    let links = Links { tokens, here: here.into() };
    data(delivery_to_wire(delivery, &name_of(&store, &caller.app).await?, &links))
}

/// Tells it once more, under a new id.
#[utoipa::path(post, path = "/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver", tag = "webhooks",
    params(("webhook_id" = String, Path, format = "uuid"), ("delivery_id" = String, Path, format = "uuid")),
    responses((status = 201, body = Envelope<wire::WebhookDelivery>), (status = 404, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub async fn redeliver(
    State(store): State<Store>,
    State(clock): State<Clock>,
    State(tokens): State<Tokens>,
    caller: Caller,
    At(id): At<WebhookId>,
    At(delivery): At<DeliveryId>,
    Here(here): Here,
) -> Answer<wire::WebhookDelivery> {
    enabled(find(&store, &caller.app, &id).await?)?;
    let notice = find_delivery(&store, &id, &delivery).await?.notice;
    tell((&store, &clock), &caller.app, &id, &notice, &Links { tokens, here: here.into() }).await
}

/// Tells it something made up: whether it hears at all.
#[utoipa::path(post, path = "/webhooks/{webhook_id}/test", tag = "webhooks", request_body = wire::WebhookTestBody,
    params(("webhook_id" = String, Path, format = "uuid")),
    responses((status = 201, body = Envelope<wire::WebhookDelivery>), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub async fn test(
    State(store): State<Store>,
    State(clock): State<Clock>,
    State(tokens): State<Tokens>,
    caller: Caller,
    At(id): At<WebhookId>,
    Here(here): Here,
    Body(body): Body<wire::WebhookTestBody>,
) -> Answer<wire::WebhookDelivery> {
    enabled(find(&store, &caller.app, &id).await?)?;
    let event = body.event.unwrap_or(wire::WebhookEvent::MeetingStarted);
    let notice = made_up(&caller.app, event, clock.now());
    tell((&store, &clock), &caller.app, &id, &notice, &Links { tokens, here: here.into() }).await
}

/// Tells once more what happened in a span of time, also what it was never told.
#[utoipa::path(post, path = "/webhooks/{webhook_id}/replay", tag = "webhooks", request_body = wire::WebhookReplayBody,
    params(("webhook_id" = String, Path, format = "uuid")),
    responses((status = 200, body = Envelope<wire::WebhookReplayed>), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub async fn replay(
    State(store): State<Store>,
    State(clock): State<Clock>,
    caller: Caller,
    At(id): At<WebhookId>,
    Body(body): Body<wire::WebhookReplayBody>,
) -> Answer<wire::WebhookReplayed> {
    let webhook = enabled(find(&store, &caller.app, &id).await?)?;
    let instant =
        |name: &str, text: &str| parse_rfc3339(text).ok_or_else(|| ApiError::invalid(name, "must be in ISO 8601 date format"));
    let span = (instant("start_time", &body.start_time)?, instant("end_time", &body.end_time)?);
    if span.1 < span.0 {
        return Err(ApiError::invalid("end_time", "must not be before start_time"));
    }
    let events = match body.events {
        Some(events) => events.into_iter().map(|event| event.name().to_owned()).collect(),
        None => webhook.events,
    };
    match store.replay((&caller.app, &id), span, &events, MAX_REPLAYED, clock.now()).await? {
        Replayed::Deliveries(deliveries) => data(wire::WebhookReplayed { deliveries }),
        Replayed::TooMany => {
            Err(ApiError::unprocessable(format!("More than {MAX_REPLAYED} events lie in this span; choose a shorter one")))
        }
    }
}

/// Makes what it is told be signed in the way of Standard Webhooks too, or changes the secret. It is shown here only.
#[utoipa::path(post, path = "/webhooks/{webhook_id}/secret", tag = "webhooks",
    params(("webhook_id" = String, Path, format = "uuid")),
    responses((status = 201, body = Envelope<wire::WebhookSecret>), (status = 404, body = ErrorBody)))]
pub async fn new_secret(
    State(store): State<Store>,
    State(clock): State<Clock>,
    caller: Caller,
    At(id): At<WebhookId>,
) -> Answer<wire::WebhookSecret> {
    find(&store, &caller.app, &id).await?;
    let (secret, now) = (fresh_secret(), clock.now());
    let change = |webhook: Webhook| {
        let former = webhook.secret.map(|former| (former.now, now.plus_ms(FORMER_FOR_MS)));
        let updated_at = now.max(webhook.updated_at);
        Ok::<_, ApiError>(Webhook { secret: Some(Secret { now: secret.clone(), former }), updated_at, ..webhook })
    };
    let webhook = store.edit_webhook(&caller.app, &id, change).await?;
    let former_until = webhook.secret.and_then(|secret| secret.former).map(|(_, until)| rfc3339(until));
    created(wire::WebhookSecret { secret, former_until })
}

/// Ends that.
#[utoipa::path(delete, path = "/webhooks/{webhook_id}/secret", tag = "webhooks",
    params(("webhook_id" = String, Path, format = "uuid")),
    responses((status = 200, body = Envelope<wire::Webhook>), (status = 404, body = ErrorBody)))]
pub async fn no_secret(
    State(store): State<Store>,
    State(clock): State<Clock>,
    caller: Caller,
    At(id): At<WebhookId>,
) -> Answer<wire::Webhook> {
    find(&store, &caller.app, &id).await?;
    let now = clock.now();
    let change = |webhook: Webhook| {
        let updated_at = now.max(webhook.updated_at);
        Ok::<_, ApiError>(Webhook { secret: None, updated_at, ..webhook })
    };
    data(to_wire(store.edit_webhook(&caller.app, &id, change).await?))
}

/// What webhooks would have been told, for those who ask. The first question begins it.
#[utoipa::path(get, path = "/events", tag = "webhooks", params(wire::EventsQuery),
    responses((status = 200, body = Envelope<wire::EventList>), (status = 400, body = ErrorBody)))]
pub async fn feed(
    State(store): State<Store>,
    State(clock): State<Clock>,
    State(tokens): State<Tokens>,
    caller: Caller,
    Here(here): Here,
    asked: Asked,
) -> Answer<wire::EventList> {
    let after = asked.text("after")?.unwrap_or("0");
    let number: Option<u64> = after.parse().ok().filter(|number| *number < 1 << 53);
    let number = number.ok_or_else(|| ApiError::invalid("after", "must be a cursor that this list gave"))?;
    let limit = asked.limit(FEED_PAGE, MAX_FEED_PAGE)?;
    let events = wire::WebhookEvent::ALL.map(|event| event.name().to_owned());
    let entries = store.read_feed(&caller.app, &events, number, limit, clock.now()).await?;
    let (app_name, links) = (name_of(&store, &caller.app).await?, Links { tokens, here: here.into() });
    let events: Vec<_> = entries
        .into_iter()
        .map(|entry| wire::FeedEvent {
            cursor: entry.number.to_string(),
            id: entry.id.to_string(),
            at: rfc3339(entry.notice.at),
            payload: payload(&entry.notice, &app_name, &links),
        })
        .collect();
    let after = events.last().map_or_else(|| number.to_string(), |last| last.cursor.clone());
    data(wire::EventList { events, after })
}

async fn tell(
    (store, clock): (&Store, &Clock),
    app: &AppId,
    id: &WebhookId,
    notice: &Notice,
    links: &Links,
) -> Answer<wire::WebhookDelivery> {
    let delivery = store.tell_webhook(id, notice, clock.now()).await?;
    created(delivery_to_wire(delivery, &name_of(store, app).await?, links))
}

async fn find_delivery(store: &Store, webhook: &WebhookId, id: &DeliveryId) -> Result<Delivery, ApiError> {
    let found = store.delivery(webhook, id).await?;
    found.ok_or_else(|| ApiError::not_found(format!("No delivery found with id {id}")))
}

fn enabled(webhook: Webhook) -> Result<Webhook, ApiError> {
    match webhook.enabled {
        true => Ok(webhook),
        false => Err(ApiError::unprocessable(format!("Webhook {} is switched off; enable it first", webhook.id))),
    }
}

async fn name_of(store: &Store, app: &AppId) -> Result<String, ApiError> {
    Ok(store.app(app).await?.map_or_else(String::new, |app| app.name))
}

/// Something that did not happen.
fn made_up(app: &AppId, event: wire::WebhookEvent, now: Timestamp) -> Notice {
    const IS_ID: &str = "it is written as ids are";
    let recording = RecordingId::parse("00000000-0000-4000-8000-000000000004").expect(IS_ID);
    let visit = || Visit {
        peer: PeerId::parse("00000000-0000-4000-8000-000000000003").expect(IS_ID),
        name: "Test".to_owned(),
        custom_participant_id: "test".to_owned(),
        joined_at: now,
    };
    let news = match event {
        wire::WebhookEvent::MeetingStarted => News::Started,
        wire::WebhookEvent::ParticipantJoined => News::Joined(visit()),
        wire::WebhookEvent::ParticipantLeft => News::Left(visit(), now),
        wire::WebhookEvent::MeetingEnded => News::Ended { at: now, reason: EndReason::AllLeft },
        wire::WebhookEvent::RecordingStatus => News::Recording(Box::new(RecordingReport {
            recording,
            kind: RecordingKind::Composite,
            status: RecordingStatus::Recording,
            name: "test.mp4".to_owned(),
            started_at: Some(now),
            stopped_at: None,
            bytes: None,
            recorded_ms: 0,
            video: None,
            audio: None,
            tracks: Vec::new(),
            expires_at: None,
        })),
        wire::WebhookEvent::ChatSynced => News::ChatSynced { ended_at: now },
        wire::WebhookEvent::Transcript => News::Transcript(Written { ended_at: now, expires_at: now }),
        wire::WebhookEvent::Summary => News::Summary(Written { ended_at: now, expires_at: now }),
        wire::WebhookEvent::LivestreamingStatus => News::Livestream(LivestreamReport {
            livestream: recording,
            status: LivestreamStatus::Live,
            playback_url: "https://example.org/live/test/index.m3u8".to_owned(),
            is_ingested: false,
            is_of_meeting: true,
        }),
    };
    Notice {
        session: SessionId::parse("00000000-0000-4000-8000-000000000002").expect(IS_ID),
        meeting: MeetingId::parse("00000000-0000-4000-8000-000000000001").expect(IS_ID),
        app: app.clone(),
        title: "Test".to_owned(),
        started_at: now,
        created_at: now,
        seq: 1,
        at: now,
        news,
    }
}

fn delivery_to_wire(delivery: Delivery, app_name: &str, links: &Links) -> wire::WebhookDelivery {
    let payload = payload(&delivery.notice, app_name, links);
    wire::WebhookDelivery {
        id: delivery.id.to_string(),
        event: payload.event,
        session_id: delivery.session.to_string(),
        status: match delivery.state {
            DeliveryState::Open => wire::DeliveryStatus::Pending,
            DeliveryState::Delivered => wire::DeliveryStatus::Delivered,
            DeliveryState::Failed => wire::DeliveryStatus::Failed,
        },
        tries: delivery.tries,
        last_tried_at: delivery.tried_at.map(rfc3339),
        response_status: delivery.status,
        response: delivery.answer,
        next_try_at: delivery.next_at.map(rfc3339),
        created_at: rfc3339(delivery.created_at),
        payload,
    }
}
