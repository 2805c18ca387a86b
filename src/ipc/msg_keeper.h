/* ipc/msg_keeper.h - what session roles ask keeper: descriptors of files in the directory of an account, and changes of names there.
 *
 * Each request carries the token of a sign-in in the process that asks (ipc/session_token.h), and is about that account alone. `name` is a path
 * below the account's directory, and one of the fixed set in store/keeper_name.h. Statuses, for all: ST_DENIED (the token is none of this
 * process, or is over; the name is none; what has the name is no plain file), ST_TEMP (not known whether it was done), and those of
 * sys/disk.h. A descriptor that is passed has an open file description of its own: its locks are the receiver's.
 */
#ifndef IPC_MSG_KEEPER_H
#define IPC_MSG_KEEPER_H

#include "base/str.h"

/* IPC_KEEPER_OPEN: a file. */
enum keeper_open { KEEPER_READ, KEEPER_UPDATE, KEEPER_OPEN, KEEPER_NEW, KEEPER_OPEN_LAST = KEEPER_NEW }; /* as enum disk_mode */
struct keeper_open_request {
	struct str       token, name;
	enum keeper_open mode;
};
struct keeper_open_reply {
	int fd;
};

/* IPC_KEEPER_LOOK: is it there. ST_NOT_FOUND. */
struct keeper_look_request {
	struct str token, name; /* "": the directory itself */
};
struct keeper_look_reply {
	uint64_t device, inode, size;
	bool     directory;
};

/* IPC_KEEPER_SET: what is there of the database, opened as KEEPER_UPDATE: what an opening needs, in one answer. Opened in this order. */
struct keeper_set_request {
	struct str token;
};
struct keeper_set_reply {
	int  db, wal, shm;     /* -1: not there */
	bool suspect, journal; /* they are */
};

/* IPC_KEEPER_CHANGE: ST_OK, and then it is done. */
enum keeper_change {
	KEEPER_REMOVE,
	KEEPER_RENAME,   /* replaces `to` */
	KEEPER_MAKE_DIR, /* "": the account's directory, with its shard; "content" */
	KEEPER_SYNC_DIR, /* "": the account's directory and those above it; "content" */
	KEEPER_CHANGE_LAST = KEEPER_SYNC_DIR,
};
struct keeper_change_request {
	struct str         token, name, to; /* to: RENAME */
	enum keeper_change what;
};

/* IPC_KEEPER_LIST: the files in content/, those behind `after` in the order of octets, up to KEEPER_LIST_MAX of them. */
#define KEEPER_LIST_MAX ((size_t)4000)
struct keeper_list_request {
	struct str token, after; /* after: "" from the first */
};
struct keeper_list_entry {
	struct str name;
	int64_t    mtime_ms;
};
struct keeper_list_reply {
	struct keeper_list_entry *entries;
	size_t                    entry_count;
};

/* IPC_KEEPER_SPACE: octets free on the disk of all accounts; without a token. */
struct keeper_space_reply {
	uint64_t left, total;
};

#endif
