//! Files for the chat: leave to upload one, the upload, and handing it out. The links are their own credentials.
//! Invariant: nothing that was uploaded can run in a browser as part of this origin, whatever its sender calls it; a file
//! is uploaded once.
//! Next: `salon_files`, where they lie; `salon_core::session`, who may upload.

use std::sync::Arc;

use axum::body::Body as AnyBody;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use salon_core::{FileId, MeetingId, Timestamp};
use salon_files::{Crowded, Cut, Files, LEAST_BYTES, LEAST_WITHIN, UploadPlace, folder_of};
use salon_store::{Admission, ChatFile, Store, Uploaded};
use salon_wire::rest::internals as wire;
use serde_json::json;
use tokio_util::task::TaskTracker;

use crate::content_type::is_content_type;
use crate::flows::live_task::live_task;
use crate::ids::random_id;
use crate::rates::LateRates;
use crate::rest::auth::Guest;
use crate::rest::body::{Body, discard};
use crate::rest::check;
use crate::rest::error::ApiError;
use crate::rest::handing_out::{About, essence, hand_out, percent_encoded};
use crate::rest::here::Here;
use crate::rest::path::Named;
use crate::rest::query::Asked;
use crate::rest::reply::{self, Answer, data};
use crate::rest::settings::FileRules;
use crate::tokens::Tokens;
use salon_live::Clock;
use salon_live::Hub;

/// How long after it was allowed an upload may begin. Clients begin at once.
const UPLOAD_WITHIN_MS: i64 = 15 * 60 * 1_000;

/// Longest name of a file, in characters: what file systems allow.
const MAX_NAME_CHARS: usize = 255;

/// Longest content type, in bytes.
const MAX_TYPE_BYTES: usize = 255;

/// Longest `expiry`, in seconds: ten years. Who wants longer leaves it out.
const MAX_EXPIRY_SECS: f64 = 10.0 * 365.0 * 86_400.0;

/// How much of a refused upload is still taken in: browsers do not read an answer while they send, and the client SDK
/// would send the whole file three times again.
const MAX_DISCARDED_BYTES: usize = 64 * 1024 * 1024;

/// What files are taken in and handed out with.
pub struct FileDesk {
    pub files: Files,
    pub store: Store,
    pub clock: Clock,
    pub tokens: Tokens,
    pub rules: FileRules,
    /// How often one file may be sent: each time makes the one before give up.
    pub sendings: LateRates<FileId>,
    pub tasks: TaskTracker,
}

/// Lets the caller upload one file to the meeting it is in.
pub async fn allow(
    State(hub): State<Hub>,
    State(desk): State<Arc<FileDesk>>,
    Guest(admission): Guest,
    Here(here): Here,
    Body(body): Body<wire::ChatUploadBody>,
) -> Answer<wire::ChatUpload> {
    data(allowed(&hub, &desk, admission, &here, body).await?)
}

/// The same under the names it once had.
pub async fn allow_older(
    State(hub): State<Hub>,
    State(desk): State<Arc<FileDesk>>,
    Guest(admission): Guest,
    Here(here): Here,
    Body(body): Body<wire::ChatUploadBody>,
) -> Result<Response, ApiError> {
    let wire::ChatUpload { get_location, put_location } = allowed(&hub, &desk, admission, &here, body).await?;
    let data = wire::OlderChatUpload { get_location, put_location };
    Ok(reply::json(StatusCode::OK, &wire::OlderChatUploadAnswer { data }))
}

async fn allowed(
    hub: &Hub,
    desk: &FileDesk,
    admission: Admission,
    here: &str,
    body: wire::ChatUploadBody,
) -> Result<wire::ChatUpload, ApiError> {
    check::text("filename", &body.filename, 1, MAX_NAME_CHARS)?;
    let meeting = admission.meeting;
    if body.meeting_id != meeting.id.as_str() {
        return Err(ApiError::not_allowed("The token is for another meeting"));
    }
    let now = desk.clock.now();
    let good_until = match body.expiry {
        None => None,
        Some(secs) if (1.0..=MAX_EXPIRY_SECS).contains(&secs) => Some(now.plus_ms((secs * 1_000.0) as i64)),
        Some(_) => return Err(ApiError::invalid("expiry", format_args!("must be from 1 to {MAX_EXPIRY_SECS} seconds"))),
    };
    let participant = admission.participant.id;
    let handle = live_task(hub, &meeting.id).await?.ok_or_else(|| ApiError::no_active_session(&meeting.id))?;
    let who = participant.clone();
    handle.call(move |session, now| session.upload(now, &who)).await??;
    desk.has_room(&meeting.id).await?;

    // Where guessing matters an id is random.
    let id: FileId = random_id();
    let upload_until = Timestamp((now.0 + UPLOAD_WITHIN_MS) / 1_000 * 1_000);
    let (name, uploaded) = (body.filename, None);
    let file = ChatFile { id, meeting: meeting.id, participant, name, created_at: now, upload_until, good_until, uploaded };
    desk.store.create_chat_file(&file).await?;
    // The name is for people, and for what saves the file under the end of its address.
    let name = if file.name.chars().all(|c| c == '.') { "file" } else { &file.name };
    let address = format!("{here}/files/chat/{}/{}", file.id, percent_encoded(name));
    let (get, put) = (desk.tokens.sign_link(&readable(&file.id)), desk.tokens.sign_link(&writable(&file.id, upload_until)));
    Ok(wire::ChatUpload {
        get_location: format!("{address}?signature={get}"),
        put_location: format!("{address}?expires={}&signature={put}", upload_until.0),
    })
}

/// Takes the file.
pub async fn upload(
    State(desk): State<Arc<FileDesk>>,
    Named((id, _)): Named<(String, String)>,
    asked: Asked,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let allowed = desk.may_upload(&id, &asked, &parts.headers).await;
    let allowed = allowed.and_then(|wanted| desk.place(&wanted.file).map(|place| (wanted, place)));
    let (wanted, place) = match allowed {
        Ok(allowed) => allowed,
        Err(refused) => {
            // What is wrong with the rest of it is of no interest.
            let _ = discard(body, MAX_DISCARDED_BYTES).await;
            return Err(refused);
        }
    };
    // A task of its own: it cleans up even if the sender hangs up.
    let upload = desk.tasks.clone().spawn(async move { desk.receive(wanted, body, place).await });
    upload.await.map_err(ApiError::internal)??;
    Ok(reply::json(StatusCode::OK, &json!({})))
}

/// A file that may be uploaded now, and what its sender says it is.
struct Wanted {
    file: ChatFile,
    content_type: String,
}

impl FileDesk {
    async fn may_upload(&self, id: &str, asked: &Asked, headers: &HeaderMap) -> Result<Wanted, ApiError> {
        let id = FileId::parse(id).map_err(|_| gone())?;
        let until = asked.text("expires")?.and_then(|text| text.parse().ok()).map(Timestamp).ok_or_else(gone)?;
        let signature = asked.text("signature")?.unwrap_or_default();
        if until <= self.clock.now() || !self.tokens.verify_link(&writable(&id, until), signature) {
            return Err(gone());
        }
        if self.sendings.take(&id).await.is_err() {
            return Err(ApiError::too_many("This file is sent too often; try again in some seconds"));
        }
        let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if announced.is_some_and(|length| length > self.rules.file_bytes) {
            return Err(self.larger_than_allowed());
        }
        let content_type = content_type(headers);
        if !is_taken(&self.rules, &content_type) {
            return Err(ApiError::unwanted_type(format!("Files of type {} are not taken here", essence(&content_type))));
        }
        let file = self.store.chat_file(&id).await?.ok_or_else(gone)?;
        if file.uploaded.is_some() {
            return Err(already_there());
        }
        self.has_room(&file.meeting).await?;
        Ok(Wanted { file, content_type })
    }

    /// A place to receive a file in.
    fn place(&self, file: &ChatFile) -> Result<UploadPlace, ApiError> {
        self.files.place(&file.id, &file.participant, &file.meeting).map_err(|crowded| match crowded {
            Crowded::Participant(most) => {
                ApiError::too_many(format!("You upload {most} files, as many as one may at once; try again when one is done"))
            }
            Crowded::Meeting(most) => ApiError::too_many(format!(
                "{most} files of this meeting are being uploaded, as many as may be at once; try again when one is done"
            )),
            Crowded::All => ApiError::unavailable("Too many uploads at once; try again"),
        })
    }

    async fn receive(&self, wanted: Wanted, body: AnyBody, place: UploadPlace) -> Result<(), ApiError> {
        let object = format!("{}/{}", folder_of(&wanted.file.id), uuid::Uuid::new_v4());
        let mut body = body.into_data_stream();
        let written = self.files.write(&object, &mut body, self.rules.file_bytes, &place).await;
        drop(place);
        let size = match written {
            Ok(size) => size,
            Err(Cut::TooLarge) => return Err(self.larger_than_allowed()),
            Err(Cut::Broken) => return Err(ApiError::bad_request("the body could not be read")),
            Err(Cut::Slow) => return Err(ApiError::trickles(LEAST_BYTES / LEAST_WITHIN.as_secs())),
            Err(Cut::Replaced) => {
                let _ = discard(AnyBody::from_stream(body), MAX_DISCARDED_BYTES).await;
                return Err(ApiError::conflict("Another upload of this file has begun"));
            }
            Err(Cut::Store(cause)) => {
                return Err(ApiError::unavailable("The file cannot be stored right now; try again").because(cause));
            }
        };
        let uploaded = Uploaded { object: object.clone(), content_type: wanted.content_type, size, at: self.clock.now() };
        match self.store.finish_chat_file(&wanted.file.id, &uploaded).await {
            Ok(true) => Ok(()),
            Ok(false) => {
                let _ = self.files.delete(&object).await;
                Err(already_there())
            }
            // It may be noted or not; if not, the sweep finds the bytes.
            Err(error) => Err(error.into()),
        }
    }

    fn larger_than_allowed(&self) -> ApiError {
        ApiError::too_large_a_file(self.rules.file_bytes)
    }

    async fn has_room(&self, meeting: &MeetingId) -> Result<(), ApiError> {
        if self.store.chat_file_bytes(meeting).await? >= self.rules.meeting_bytes {
            return Err(ApiError::unprocessable("The files of this meeting take all the room they may"));
        }
        Ok(())
    }
}

/// Hands a file out, or a part of it.
pub async fn download(
    State(desk): State<Arc<FileDesk>>,
    Named((id, _)): Named<(String, String)>,
    asked: Asked,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let id = FileId::parse(&id).map_err(|_| gone())?;
    if !desk.tokens.verify_link(&readable(&id), asked.text("signature")?.unwrap_or_default()) {
        return Err(gone());
    }
    let now = desk.clock.now();
    let file =
        desk.store.chat_file(&id).await?.filter(|file| file.good_until.is_none_or(|until| until > now)).ok_or_else(gone)?;
    let uploaded = file.uploaded.ok_or_else(gone)?;
    // A file never changes.
    let age_secs = file.good_until.map_or(86_400, |until| (until.since(now) / 1_000).clamp(0, 86_400));
    let about = About { object: &uploaded.object, name: &file.name, kind: &uploaded.content_type, size: uploaded.size, age_secs };
    hand_out(&desk.files, &about, &headers).await
}

/// What the signature of a link to upload is of.
fn writable(id: &FileId, until: Timestamp) -> String {
    format!("file upload\n{id}\n{}", until.0)
}

/// What the signature of a link to a file is of. How long it is good, the row says.
fn readable(id: &FileId) -> String {
    format!("file\n{id}")
}

fn gone() -> ApiError {
    ApiError::not_found("This link is not valid, or not any more")
}

fn already_there() -> ApiError {
    ApiError::conflict("The file was uploaded already")
}

/// What the sender says it is; bytes, if that makes no sense.
fn content_type(headers: &HeaderMap) -> String {
    let given = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).map(str::trim).unwrap_or_default();
    let fits = given.len() <= MAX_TYPE_BYTES && is_content_type(&essence(given));
    if fits { given.to_owned() } else { "application/octet-stream".to_owned() }
}

fn is_taken(rules: &FileRules, kind: &str) -> bool {
    let kind = essence(kind);
    let top = kind.split('/').next().unwrap_or_default();
    rules.types.is_empty()
        || rules.types.iter().any(|taken| {
            let taken = taken.to_ascii_lowercase();
            taken == kind || taken.strip_suffix("/*").is_some_and(|taken| taken == top)
        })
}
