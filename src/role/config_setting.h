/* role/config_setting.h - the table of settings: one row each, outside of `listen`; what their values look like.
 */
#ifndef ROLE_CONFIG_SETTING_H
#define ROLE_CONFIG_SETTING_H

#include "role/config.h"

enum config_kind { CONFIG_TEXT, CONFIG_NUMBER, CONFIG_SIZE, CONFIG_SECONDS, CONFIG_SWITCH, CONFIG_WORD };

struct config_setting {
	const char        *section, *name; /* section "": the top level */
	enum config_kind  kind;
	size_t             offset; /* in struct config: struct str, bool, uint64_t for a size, else uint32_t */
	const char        *fallback;
	uint64_t           least, most; /* of a text: octets */
	const char *const *words;       /* CONFIG_WORD: NULL ends them; kept is the index */
	const char        *note;        /* printed by `config show`; NULL: none */
};

#define CONFIG_SETTINGS 76 /* counted again in config_setting.c */
extern const struct config_setting config_settings[CONFIG_SETTINGS];

/* Store a value as it stands in the file; a text is copied to `a`. False if it is outside of the setting's bounds. */
MUST_CHECK bool config_setting_store(const struct config_setting *s, struct str text, struct config *c, struct arena *a);
/* As the file has it. */
void config_setting_print(const struct config_setting *s, const struct config *c, struct buf *out);
/* A text in quotes. */
void config_text_print(struct str text, struct buf *out);

#endif
