//! Files uploaded for the chat: who may upload which, and where it lies once it is there. The bytes are elsewhere.
//! Invariant: a file has one upload that counts, the first that was whole; its row never names another object after.
//! A row outlives its bytes, never the other way round: bytes that no row knows would stay for ever.

use salon_core::{FileId, MeetingId, ParticipantId, Timestamp};

use crate::Store;
use crate::engine::{Row, args, built};
use crate::error::Result;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatFile {
    pub id: FileId,
    pub meeting: MeetingId,
    /// Who uploads it. They may be deleted; the file is the meeting's.
    pub participant: ParticipantId,
    /// What its sender calls it.
    pub name: String,
    pub created_at: Timestamp,
    /// Until when the upload may begin.
    pub upload_until: Timestamp,
    /// Until when it is handed out; `None` for as long as it is there.
    pub good_until: Option<Timestamp>,
    pub uploaded: Option<Uploaded>,
}

/// What is known of a file once it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uploaded {
    /// Where it lies.
    pub object: String,
    /// As its sender said.
    pub content_type: String,
    pub size: u64,
    pub at: Timestamp,
}

const COLUMNS: &str = "f.id, f.meeting_id, f.participant_id, f.name, f.created_ms, f.upload_until_ms, f.good_until_ms, f.object, \
     f.content_type, f.size, f.uploaded_ms";

impl Store {
    /// Stores a file that is to be uploaded.
    pub async fn create_chat_file(&self, file: &ChatFile) -> Result<()> {
        let sql = "insert into chat_files (id, meeting_id, participant_id, name, created_ms, upload_until_ms, good_until_ms) \
                   values ($1, $2, $3, $4, $5, $6, $7)";
        let row =
            args![&file.id, &file.meeting, &file.participant, &file.name, file.created_at, file.upload_until, file.good_until,];
        self.db.run(sql, row).await.map(drop)
    }

    pub async fn chat_file(&self, id: &FileId) -> Result<Option<ChatFile>> {
        let sql = format!("select {COLUMNS} from chat_files f where f.id = $1");
        self.db.one(built(sql), args![id]).await?.as_ref().map(read_file).transpose()
    }

    /// Notes that a file is there. False if another upload of it was faster, or it is not wanted any more.
    pub async fn finish_chat_file(&self, id: &FileId, uploaded: &Uploaded) -> Result<bool> {
        let sql = "update chat_files set object = $2, content_type = $3, size = $4, uploaded_ms = $5 \
                   where id = $1 and object is null";
        let row = args![id, &uploaded.object, &uploaded.content_type, uploaded.size, uploaded.at];
        Ok(self.db.run(sql, row).await? > 0)
    }

    /// The bytes of all files of a meeting.
    pub async fn chat_file_bytes(&self, meeting: &MeetingId) -> Result<u64> {
        let sql = "select cast(coalesce(sum(size), 0) as bigint) as bytes from chat_files where meeting_id = $1";
        self.db.one(sql, args![meeting]).await?.map_or(Ok(0), |row| row.count("bytes"))
    }

    /// Files to delete: those never uploaded that may not be any more since `given_up`, those whose time is over, and,
    /// where meetings do not keep their chat, those made before `kept_since`. At most `limit`, the oldest of those that
    /// come after the one given.
    pub async fn chat_files_over(
        &self,
        now: Timestamp,
        given_up: Timestamp,
        kept_since: Option<Timestamp>,
        after: Option<&ChatFile>,
        limit: u32,
    ) -> Result<Vec<ChatFile>> {
        let sql = format!(
            "select {COLUMNS} from chat_files f join meetings m on m.id = f.meeting_id \
             where ((f.object is null and f.upload_until_ms < $1) or f.good_until_ms <= $2 \
             or (f.created_ms < $3 and m.persist_chat = $4)) and (f.created_ms, f.id) > ($5, $6) \
             order by f.created_ms, f.id limit $7"
        );
        let kept_since = kept_since.unwrap_or(Timestamp(i64::MIN));
        let (at, id) = after.map_or((Timestamp(i64::MIN), ""), |after| (after.created_at, after.id.as_str()));
        let rows = self.db.all(built(sql), args![given_up, now, kept_since, false, at, id, limit]).await?;
        rows.iter().map(read_file).collect()
    }

    /// Forgets a file whose bytes are gone.
    pub async fn delete_chat_file(&self, id: &FileId) -> Result<()> {
        self.db.run("delete from chat_files where id = $1", args![id]).await.map(drop)
    }
}

fn read_file(row: &Row) -> Result<ChatFile> {
    let uploaded = match row.text_or_null("object")? {
        None => None,
        Some(object) => Some(Uploaded {
            object,
            content_type: row.text("content_type")?,
            size: row.count("size")?,
            at: row.time("uploaded_ms")?,
        }),
    };
    Ok(ChatFile {
        id: row.id("id")?,
        meeting: row.id("meeting_id")?,
        participant: row.id("participant_id")?,
        name: row.text("name")?,
        created_at: row.time("created_ms")?,
        upload_until: row.time("upload_until_ms")?,
        good_until: row.time_or_null("good_until_ms")?,
        uploaded,
    })
}
