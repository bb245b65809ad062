/* Memory in which a programmed bit never returns. Nothing of the card reaches its pages by another way, so whatever a
 * handler gets wrong, value can only go down. */
#include <scrip/otp_card.h>
#include <string.h>

static enum scrip_status otp_read(void *ctx, uint32_t at, uint8_t *dst, size_t len)
{
    const struct scrip_nv *under = ((const struct scrip_otp_nv *)ctx)->under;
    return under->read(under->ctx, at, dst, len);
}

static enum scrip_status otp_write(void *ctx, uint32_t page, const uint8_t data[SCRIP_NV_PAGE])
{
    const struct scrip_nv *under = ((const struct scrip_otp_nv *)ctx)->under;
    uint8_t old[SCRIP_NV_PAGE];
    if (page >= under->pages) {
        return SCRIP_E_NV;
    }
    SCRIP_TRY(under->read(under->ctx, page * SCRIP_NV_PAGE, old, sizeof old));
    for (size_t i = 0; i < sizeof old; i++) {
        if ((old[i] & ~data[i]) != 0) {
            return SCRIP_E_NV;
        }
    }
    return memcmp(old, data, sizeof old) == 0 ? SCRIP_OK : under->write(under->ctx, page, data);
}

struct scrip_nv scrip_otp_nv(struct scrip_otp_nv *otp, const struct scrip_nv *under)
{
    otp->under = under;
    return (struct scrip_nv){.ctx = otp, .pages = under->pages, .read = otp_read, .write = otp_write};
}
