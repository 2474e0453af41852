-- Participants who were deleted or erased: of their ids the SHA-256 only. It stays, so that no import brings them back, and
-- with them the tokens that were made for them.
create table deleted_participants (
    app_id text not null,
    participant_hash blob not null,
    primary key (app_id, participant_hash)
) strict;
