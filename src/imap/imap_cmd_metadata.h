/* imap/imap_cmd_metadata.h - METADATA responses, for GETMETADATA and LIST-METADATA. */
#ifndef IMAP_IMAP_CMD_METADATA_H
#define IMAP_IMAP_CMD_METADATA_H

#include "imap/imap_session.h"
#include "wire/imap/imap_metadata.h"

/* "* METADATA name (entry value ...)" of exactly these entries; NIL for those that are not there. */
MUST_CHECK enum status imap_put_metadata(struct imap_session *s, struct str name, const struct imap_entries *entries);
/* "* METADATA name"; of the server if the name is empty. */
void imap_put_metadata_head(struct imap_session *s, struct str name);

#endif
