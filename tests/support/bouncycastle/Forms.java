// Emits the CMS forms that Bouncy Castle's users send: an oracle that shares no code with us or with OpenSSL.
//
//   java -cp /usr/share/java/bcpkix.jar:... Forms.java sign CERT KEY IN OUT [der] [stream] [pss] [keyid] [nocerts]
//       [detached] [sha256|sha384|sha512]
//   java -cp ... Forms.java envelope CERT IN OUT [der] [cbc]
//   java -cp ... Forms.java open CERT KEY IN OUT         (an RSA key's envelope)
//
// CERT and KEY are PEM (PKCS #8). Without `der` or `stream` the output is what getEncoded() gives: indefinite lengths.
import java.io.ByteArrayOutputStream;
import java.io.FileReader;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.PrivateKey;
import java.security.Security;
import java.security.cert.X509Certificate;
import java.security.interfaces.ECPublicKey;
import java.security.spec.MGF1ParameterSpec;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import javax.crypto.spec.OAEPParameterSpec;
import javax.crypto.spec.PSource;
import org.bouncycastle.asn1.pkcs.PrivateKeyInfo;
import org.bouncycastle.asn1.x509.AlgorithmIdentifier;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cms.*;
import org.bouncycastle.cms.jcajce.*;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.openssl.PEMParser;
import org.bouncycastle.openssl.jcajce.JcaPEMKeyConverter;
import org.bouncycastle.operator.ContentSigner;
import org.bouncycastle.operator.OutputAEADEncryptor;
import org.bouncycastle.operator.OutputEncryptor;
import org.bouncycastle.operator.jcajce.JcaAlgorithmParametersConverter;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.operator.jcajce.JcaDigestCalculatorProviderBuilder;

public class Forms {
    static X509CertificateHolder certificate(String path) throws Exception {
        try (PEMParser parser = new PEMParser(new FileReader(path))) {
            return (X509CertificateHolder) parser.readObject();
        }
    }

    static PrivateKey key(String path) throws Exception {
        try (PEMParser parser = new PEMParser(new FileReader(path))) {
            return new JcaPEMKeyConverter().setProvider("BC").getPrivateKey((PrivateKeyInfo) parser.readObject());
        }
    }

    static String signatureAlgorithm(PrivateKey key, Set<String> options) {
        String hash = options.contains("sha512") ? "SHA512" : options.contains("sha384") ? "SHA384" : "SHA256";
        switch (key.getAlgorithm()) {
            case "RSA": return hash + (options.contains("pss") ? "withRSAandMGF1" : "withRSA");
            case "Ed25519": return "Ed25519";
            default: return hash + "withECDSA";
        }
    }

    static SignerInfoGenerator signer(String[] args, Set<String> options) throws Exception {
        X509CertificateHolder certificate = certificate(args[1]);
        PrivateKey key = key(args[2]);
        ContentSigner content = new JcaContentSignerBuilder(signatureAlgorithm(key, options)).setProvider("BC").build(key);
        JcaSignerInfoGeneratorBuilder builder =
            new JcaSignerInfoGeneratorBuilder(new JcaDigestCalculatorProviderBuilder().setProvider("BC").build());
        if (options.contains("keyid")) {
            byte[] extension = certificate.getExtension(org.bouncycastle.asn1.x509.Extension.subjectKeyIdentifier)
                .getExtnValue().getOctets();
            return builder.build(content, org.bouncycastle.asn1.ASN1OctetString.getInstance(extension).getOctets());
        }
        return builder.build(content, new JcaX509CertificateConverter().setProvider("BC").getCertificate(certificate));
    }

    static byte[] sign(String[] args, Set<String> options) throws Exception {
        byte[] content = Files.readAllBytes(Path.of(args[3]));
        if (options.contains("stream")) {
            CMSSignedDataStreamGenerator generator = new CMSSignedDataStreamGenerator();
            generator.addSignerInfoGenerator(signer(args, options));
            if (!options.contains("nocerts")) {
                generator.addCertificate(certificate(args[1]));
            }
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            try (OutputStream into = generator.open(out, true)) {
                for (int at = 0; at < content.length; at += 700) {
                    into.write(content, at, Math.min(700, content.length - at));
                }
            }
            return out.toByteArray();
        }
        CMSSignedDataGenerator generator = new CMSSignedDataGenerator();
        generator.addSignerInfoGenerator(signer(args, options));
        if (!options.contains("nocerts")) {
            generator.addCertificate(certificate(args[1]));
        }
        CMSSignedData signed = generator.generate(new CMSProcessableByteArray(content), !options.contains("detached"));
        return options.contains("der") ? signed.getEncoded("DER") : signed.getEncoded();
    }

    static RecipientInfoGenerator recipient(X509CertificateHolder holder) throws Exception {
        X509Certificate certificate = new JcaX509CertificateConverter().setProvider("BC").getCertificate(holder);
        if (certificate.getPublicKey() instanceof ECPublicKey) {
            java.security.KeyPairGenerator pair = java.security.KeyPairGenerator.getInstance("EC", "BC");
            pair.initialize(((ECPublicKey) certificate.getPublicKey()).getParams());
            java.security.KeyPair ephemeral = pair.generateKeyPair();
            return new JceKeyAgreeRecipientInfoGenerator(CMSAlgorithm.ECDH_SHA256KDF, ephemeral.getPrivate(),
                ephemeral.getPublic(), CMSAlgorithm.AES256_WRAP).addRecipient(certificate).setProvider("BC");
        }
        AlgorithmIdentifier oaep = new JcaAlgorithmParametersConverter().getAlgorithmIdentifier(
            org.bouncycastle.asn1.pkcs.PKCSObjectIdentifiers.id_RSAES_OAEP,
            new OAEPParameterSpec("SHA-256", "MGF1", MGF1ParameterSpec.SHA256, PSource.PSpecified.DEFAULT));
        return new JceKeyTransRecipientInfoGenerator(certificate, oaep).setProvider("BC");
    }

    static byte[] envelope(String[] args, Set<String> options) throws Exception {
        byte[] content = Files.readAllBytes(Path.of(args[2]));
        if (options.contains("cbc")) {
            CMSEnvelopedDataGenerator generator = new CMSEnvelopedDataGenerator();
            generator.addRecipientInfoGenerator(recipient(certificate(args[1])));
            OutputEncryptor cipher = new JceCMSContentEncryptorBuilder(CMSAlgorithm.AES256_CBC).setProvider("BC").build();
            return generator.generate(new CMSProcessableByteArray(content), cipher).getEncoded();
        }
        OutputAEADEncryptor cipher = (OutputAEADEncryptor) new JceCMSContentEncryptorBuilder(CMSAlgorithm.AES256_GCM)
            .setProvider("BC").build();
        CMSAuthEnvelopedDataGenerator generator = new CMSAuthEnvelopedDataGenerator();
        generator.addRecipientInfoGenerator(recipient(certificate(args[1])));
        CMSAuthEnvelopedData made = generator.generate(new CMSProcessableByteArray(content), cipher);
        return options.contains("der") ? made.toASN1Structure().getEncoded("DER") : made.getEncoded();
    }

    static byte[] open(String[] args) throws Exception {
        CMSAuthEnvelopedData envelope = new CMSAuthEnvelopedData(Files.readAllBytes(Path.of(args[3])));
        RecipientInformation recipient = envelope.getRecipientInfos().getRecipients().iterator().next();
        return recipient.getContent(new JceKeyTransAuthEnvelopedRecipient(key(args[2])).setProvider("BC"));
    }

    public static void main(String[] args) throws Exception {
        Security.addProvider(new BouncyCastleProvider());
        int fixed = args[0].equals("envelope") ? 4 : 5;
        Set<String> options = new TreeSet<>(Arrays.asList(args).subList(fixed, args.length));
        byte[] out;
        switch (args[0]) {
            case "sign": out = sign(args, options); break;
            case "envelope": out = envelope(args, options); break;
            case "open": out = open(args); break;
            default: throw new IllegalArgumentException(args[0]);
        }
        Files.write(Path.of(args[fixed - 1]), out);
    }
}
