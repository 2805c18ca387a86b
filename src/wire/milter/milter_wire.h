/* wire/milter/milter_wire.h - the numbers of the milter protocol, versions 2 to 6.
 *
 * There is no RFC: what Sendmail's libmilter and Postfix say on the wire is the standard. A packet is
 *
 *   uint32 length, big-endian    of what follows, command octet included
 *   command octet
 *   data                         length - 1 octets; texts in it end in a NUL
 *
 * Commands go from us to the filter (SMFIC), answers come back (SMFIR).
 */
#ifndef WIRE_MILTER_MILTER_WIRE_H
#define WIRE_MILTER_MILTER_WIRE_H

#define MILTER_VERSION     6u
#define MILTER_VERSION_MIN 2u
#define MILTER_CHUNK       ((size_t)65535) /* of the body, in one packet: what libmilter takes unless more was agreed */

/* SMFIC: what the filter is told. */
#define MILTER_CMD_ABORT   'A'
#define MILTER_CMD_BODY    'B'
#define MILTER_CMD_CONNECT 'C'
#define MILTER_CMD_MACRO   'D'
#define MILTER_CMD_EOM     'E'
#define MILTER_CMD_HELO    'H'
#define MILTER_CMD_QUIT_NC 'K' /* this session is over, another may follow on the same connection */
#define MILTER_CMD_HEADER  'L'
#define MILTER_CMD_MAIL    'M'
#define MILTER_CMD_EOH     'N'
#define MILTER_CMD_OPTNEG  'O'
#define MILTER_CMD_QUIT    'Q'
#define MILTER_CMD_RCPT    'R'
#define MILTER_CMD_DATA    'T' /* since version 4 */
#define MILTER_CMD_UNKNOWN 'U' /* since version 3 */

/* SMFIF: what the filter may do at the end of the message. */
enum milter_action { /* bit mask */
	MILTER_MAY_ADD_HEADER    = 0x001,
	MILTER_MAY_BODY          = 0x002,
	MILTER_MAY_ADD_RCPT      = 0x004,
	MILTER_MAY_DEL_RCPT      = 0x008,
	MILTER_MAY_CHANGE_HEADER = 0x010, /* insert, change, delete */
	MILTER_MAY_QUARANTINE    = 0x020,
	MILTER_MAY_SENDER        = 0x040,
	MILTER_MAY_ADD_RCPT_ARGS = 0x080,
	MILTER_MAY_SYMLIST       = 0x100, /* choose its macros, in the answer to OPTNEG */
	MILTER_MAY_ALL           = 0x1ff,
};

/* SMFIP: what the filter does not want to be told (NO), and what it does not answer (NR). */
enum milter_step { /* bit mask */
	MILTER_NO_CONNECT = 0x000001,
	MILTER_NO_HELO    = 0x000002,
	MILTER_NO_MAIL    = 0x000004,
	MILTER_NO_RCPT    = 0x000008,
	MILTER_NO_BODY    = 0x000010,
	MILTER_NO_HEADERS = 0x000020,
	MILTER_NO_EOH     = 0x000040,
	MILTER_NR_HEADER  = 0x000080,
	MILTER_NO_UNKNOWN = 0x000100,
	MILTER_NO_DATA    = 0x000200,
	MILTER_MAY_SKIP   = 0x000400, /* it may answer SKIP to headers and body */
	MILTER_RCPT_REJ   = 0x000800, /* refused recipients are told too: not offered */
	MILTER_NR_CONNECT = 0x001000,
	MILTER_NR_HELO    = 0x002000,
	MILTER_NR_MAIL    = 0x004000,
	MILTER_NR_RCPT    = 0x008000,
	MILTER_NR_DATA    = 0x010000,
	MILTER_NR_UNKNOWN = 0x020000,
	MILTER_NR_EOH     = 0x040000,
	MILTER_NR_BODY    = 0x080000,
	MILTER_LEADSPC    = 0x100000, /* header values with the blank behind the colon, both ways */
	MILTER_STEPS_ALL  = 0x1ff7ff, /* that we offer */
};

/* SMFIM: the stages for which a filter may list its macros. */
enum milter_stage {
	MILTER_STAGE_CONNECT,
	MILTER_STAGE_HELO,
	MILTER_STAGE_MAIL,
	MILTER_STAGE_RCPT,
	MILTER_STAGE_DATA,
	MILTER_STAGE_EOM,
	MILTER_STAGE_EOH,
	MILTER_STAGE_COUNT,
};

#endif
