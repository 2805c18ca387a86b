/* wire/milter/milter_command.c - contract is in milter_command.h. */
#include "wire/milter/milter_command.h"

#define MACRO_HEAD ((size_t)6) /* length, 'D', the command that follows */

void milter_command_plain(struct buf *out, char command, struct str data)
{
	size_t at = milter_packet_begin(out, command);

	buf_add(out, data);
	milter_packet_end(out, at);
}

void milter_command_text(struct buf *out, char command, struct str text)
{
	size_t at = milter_packet_begin(out, command);

	milter_text_add(out, text);
	milter_packet_end(out, at);
}

void milter_command_connect(struct buf *out, struct str host, struct str address, unsigned port)
{
	size_t at = milter_packet_begin(out, MILTER_CMD_CONNECT);

	milter_text_add(out, host);
	buf_add_char(out, str_find(address, ':') < 0 ? '4' : '6');
	buf_add_be(out, port, 2);
	milter_text_add(out, address);
	milter_packet_end(out, at);
}

void milter_command_path(struct buf *out, char command, struct str path, struct str params)
{
	size_t at = milter_packet_begin(out, command);

	buf_add_char(out, '<');
	buf_add(out, path);
	milter_text_add(out, STR(">"));
	while (params.n > 0) {
		struct str param;

		str_cut(params, ' ', &param, &params);
		if (param.n > 0)
			milter_text_add(out, param);
	}
	milter_packet_end(out, at);
}

void milter_command_header(struct buf *out, struct str name, struct str value, bool leadspc)
{
	size_t at = milter_packet_begin(out, MILTER_CMD_HEADER);

	milter_text_add(out, name);
	if (!leadspc && value.n > 0 && value.p[0] == ' ')
		value = str_from(value, 1);
	for (size_t i = 0, n; i < value.n; i += n) { /* pieces between CRs that stand before an LF */
		struct str rest = str_from(value, i);
		ptrdiff_t  end = str_search(rest, STR("\r\n"));

		n = end < 0 ? rest.n : (size_t)end + 1;
		buf_add(out, str_first(rest, end < 0 ? n : n - 1));
	}
	buf_add_char(out, '\0');
	milter_packet_end(out, at);
}

size_t milter_macro_begin(struct buf *out, char command)
{
	size_t at = milter_packet_begin(out, MILTER_CMD_MACRO);

	buf_add_char(out, command);
	return at;
}

void milter_macro_add(struct buf *out, struct str name, struct str value)
{
	if (name.n == 0 || str_find(value, '\0') >= 0)
		return;
	milter_text_add(out, name);
	milter_text_add(out, value);
}

void milter_macro_end(struct buf *out, size_t at)
{
	if (out->n == at + MACRO_HEAD)
		out->n = at; /* no macro: nothing to say */
	else
		milter_packet_end(out, at);
}
