/* A self-made certificate for development: P-256, for localhost and the loopback addresses. */
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <scrip/server.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static enum scrip_status write_pem(const char *path, const gnutls_datum_t *pem, mode_t mode)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    if (fd < 0) {
        return SCRIP_E_IO;
    }
    const bool ok = write(fd, pem->data, pem->size) == (ssize_t)pem->size && fsync(fd) == 0;
    return close(fd) == 0 && ok ? SCRIP_OK : SCRIP_E_IO;
}

static int add_names(gnutls_x509_crt_t crt)
{
    static const uint8_t loopback4[4] = {127, 0, 0, 1};
    static const uint8_t loopback6[16] = {[15] = 1};
    int failed = gnutls_x509_crt_set_dn(crt, "CN=scrip development", NULL);
    failed |= gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, "localhost", 9, GNUTLS_FSAN_SET);
    failed |= gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, loopback4, 4, GNUTLS_FSAN_APPEND);
    failed |= gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, loopback6, 16, GNUTLS_FSAN_APPEND);
    return failed;
}

static int fill_certificate(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key, unsigned days)
{
    uint8_t serial[16];
    const time_t now = time(NULL);
    int failed = gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof serial);
    serial[0] &= 0x7F; /* a positive integer */
    failed |= gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
    failed |= gnutls_x509_crt_set_version(crt, 3);
    failed |= gnutls_x509_crt_set_serial(crt, serial, sizeof serial);
    failed |= gnutls_x509_crt_set_activation_time(crt, now - 3600);
    failed |= gnutls_x509_crt_set_expiration_time(crt, now + (time_t)days * 86400);
    failed |= gnutls_x509_crt_set_key(crt, key);
    failed |= add_names(crt);
    failed |= gnutls_x509_crt_set_basic_constraints(crt, 1, -1); /* so that curl --cacert takes it as its own root */
    failed |= gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_DIGITAL_SIGNATURE | GNUTLS_KEY_KEY_CERT_SIGN);
    failed |= gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0);
    return failed;
}

static enum scrip_status export_both(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key, const char *cert_file,
                                     const char *key_file)
{
    gnutls_datum_t pem;
    if (gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &pem) != 0) {
        return SCRIP_E_MEMORY;
    }
    enum scrip_status status = write_pem(key_file, &pem, 0600);
    scrip_wipe(pem.data, pem.size);
    gnutls_free(pem.data);
    SCRIP_TRY(status);
    if (gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &pem) != 0) {
        return SCRIP_E_MEMORY;
    }
    status = write_pem(cert_file, &pem, 0644);
    gnutls_free(pem.data);
    return status;
}

enum scrip_status scrip_http_make_certificate(const char *cert_file, const char *key_file, unsigned days)
{
    gnutls_x509_crt_t crt = NULL;
    gnutls_x509_privkey_t key = NULL;
    enum scrip_status status = SCRIP_E_MEMORY;
    if (gnutls_x509_crt_init(&crt) == 0 && gnutls_x509_privkey_init(&key) == 0) {
        status = fill_certificate(crt, key, days) == 0 ? export_both(crt, key, cert_file, key_file) : SCRIP_E_RANDOM;
    }
    gnutls_x509_privkey_deinit(key);
    gnutls_x509_crt_deinit(crt);
    return status;
}
