/* profile_finish.h: what reading a profile and checking the whole of it share. */
#ifndef VCARD_PROFILE_FINISH_H
#define VCARD_PROFILE_FINISH_H

#include <scrip/profile.h>

/** Write a sentence into `error`, SCRIP_PROFILE_ERROR_MAX bytes, unless there is one already: the first counts.
 *  @return 0, which stops inih */
int profile_fail(char *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Is it a storage card's? */
bool profile_is_storage(const struct scrip_profile *profile);

/** Check what belongs together, and fill in what was left open. @return 1; 0: see `error` */
int profile_finish(struct scrip_profile *profile, char *error);

#endif
